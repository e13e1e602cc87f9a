"""The real application of the storefront, with one server that stands for all its neighbours."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chassis.testing import app_maker
from storefront.app import create_app
from storefront.settings import Settings
from storefront.tests.helpers import SERVICES, Browser, Market


@pytest.fixture
def market() -> Iterator[Market]:
    neighbour = Market()
    yield neighbour
    neighbour.close()


@pytest.fixture
def make_app(market: Market, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "storefront.key").write_text("k" * 64 + "\n")
    neighbours = dict.fromkeys(SERVICES, market.address)
    with app_maker(create_app, Settings, tmp_path, neighbours=neighbours, soft_timeout_s=20) as make:
        yield make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """Somebody who is not signed in."""
    return Browser(app.test_client())


@pytest.fixture
def customer(visitor: Browser) -> Browser:
    """Somebody who is signed in."""
    assert visitor.sign_in().status_code == 303
    return visitor
