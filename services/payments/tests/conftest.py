"""The real application of payments; its workers run only where a test starts them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chassis.testing import Neighbour, app_maker
from payments.app import create_app
from payments.settings import Settings

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
    options = {"neighbours": {"bank": bank_server.address}, "event_routes": ROUTES}
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, **options) as make:
        yield make
