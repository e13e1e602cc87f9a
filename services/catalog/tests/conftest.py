"""The real application of catalog, on SQLite or, for those tests that say so, on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from catalog.app import create_app
from catalog.settings import Settings
from chassis.testing import app_maker

ROUTES = {"product.changed": ["inventory"]}


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, event_routes=ROUTES) as make:
        yield make
