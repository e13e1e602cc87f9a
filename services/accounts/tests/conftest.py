"""The real application of accounts, with passwords that are cheap to hash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from accounts.app import create_app
from accounts.settings import Settings
from chassis.testing import make_test_app

ROUTES = {"account.registered": ["notifications"]}


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., Flask]:
    """Makes the application; called again it makes another replica on the same database."""

    def make(**settings: Any) -> Flask:
        cheap: dict[str, Any] = {"argon2_memory_kib": 8, "argon2_passes": 1, "threads": 64}
        return make_test_app(create_app, Settings, tmp_path, event_routes=ROUTES, **{**cheap, **settings})

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
