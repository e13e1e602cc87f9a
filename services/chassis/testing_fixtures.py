"""What the tests of every service ask for, made of the `make_app` that its own conftest.py has."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The service's real application."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
