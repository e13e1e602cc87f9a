"""The real application of the bank on a temporary database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from bank.app import create_app
from bank.settings import Settings
from chassis.testing import app_maker


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    with app_maker(create_app, Settings, tmp_path, database_url=database_url) as make:
        yield make
