"""The real application of notifications."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chassis.testing import app_maker
from notifications.app import create_app
from notifications.settings import Settings


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    with app_maker(create_app, Settings, tmp_path, database_url=database_url) as make:
        yield make
