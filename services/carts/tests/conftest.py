"""The real application of carts, with a neighbour that stands for the catalog."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from carts.app import create_app
from carts.settings import Settings
from carts.tests.helpers import FakeCatalog
from chassis.testing import app_maker


@pytest.fixture
def catalog() -> Iterator[FakeCatalog]:
    neighbour = FakeCatalog()
    yield neighbour
    neighbour.close()


@pytest.fixture
def make_app(database_url: str, catalog: FakeCatalog, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    neighbours = {"catalog": catalog.address}
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, neighbours=neighbours) as make:
        yield make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(catalog_timeout_s=20)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
