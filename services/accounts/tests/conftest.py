"""The real application of accounts, with passwords that are cheap to hash."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from accounts.app import create_app
from accounts.settings import Settings
from chassis.testing import app_maker

ROUTES = {"account.registered": ["notifications"]}


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    cheap = {"argon2_memory_kib": 8, "argon2_passes": 1, "threads": 64, "event_routes": ROUTES}
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, **cheap) as make:
        yield make
