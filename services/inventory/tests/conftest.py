"""The real application of inventory, on SQLite or, for those tests that say so, on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chassis.testing import app_maker
from inventory.app import create_app
from inventory.settings import Settings

ROUTES = {"stock.reserved": ["orders"], "stock.rejected": ["orders"]}


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, event_routes=ROUTES) as make:
        yield make
