"""The real application of payments; its workers run only where a test starts them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.testing import Neighbour, make_test_app
from chassis.testing_postgres import database_url, postgres
from payments.app import create_app
from payments.settings import Settings

__all__ = ["app", "bank_server", "client", "database_url", "make_app", "postgres"]
ROUTES = {name: ["orders"] for name in ("payment.captured", "payment.declined", "payment.refunded")}


@pytest.fixture
def bank_server() -> Iterator[Neighbour]:
    """Stands for the bank over HTTP, with scripted answers."""
    neighbour = Neighbour()
    yield neighbour
    neighbour.close()


@pytest.fixture
def make_app(bank_server: Neighbour, database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    apps = []

    def make(**settings: Any) -> Flask:
        neighbours = settings.pop("neighbours", {"bank": bank_server.address})
        settings = {"event_routes": ROUTES, "database_url": database_url, **settings}
        apps.append(make_test_app(create_app, Settings, tmp_path, neighbours, **settings))
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
