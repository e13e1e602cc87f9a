"""The real application of the bank on a temporary database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bank.app import create_app
from bank.settings import Settings
from chassis.testing import make_test_app


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., Flask]:
    """Makes the application; called again it makes another one on the same database."""

    def make(**settings: Any) -> Flask:
        return make_test_app(create_app, Settings, tmp_path, **settings)

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
