"""The real application of the bank on a temporary database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bank.app import create_app
from bank.settings import Settings
from chassis.testing import make_test_app
from chassis.testing_postgres import database_url, postgres

__all__ = ["app", "client", "database_url", "make_app", "postgres"]


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another one on the same database."""
    apps = []

    def make(**settings: Any) -> Flask:
        apps.append(make_test_app(create_app, Settings, tmp_path, database_url=database_url, **settings))
        return apps[-1]

    yield make
    for app in apps:
        app.extensions["souk.database"].engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
