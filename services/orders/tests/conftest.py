"""The real application of orders, with a neighbour that stands for the catalog."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask import Flask

from chassis.testing import Neighbour, app_maker
from orders.app import create_app
from orders.settings import Settings

ROUTES = {
    "order.placed": ["inventory", "carts"],
    "payment.requested": ["payments"],
    "order.confirmed": ["inventory"],
    "order.cancelled": ["inventory", "payments"],
}
PRODUCTS = {
    "LAMP": {"sku": "LAMP", "name": "Brass lamp", "price_cents": 4_500, "currency": "EUR"},
    "TEA": {"sku": "TEA", "name": "Mint tea", "price_cents": 350, "currency": "EUR"},
}


@pytest.fixture
def catalog() -> Iterator[Neighbour]:
    neighbour = Neighbour()
    neighbour.products = dict(PRODUCTS)  # type: ignore[attr-defined]

    def products(_body: Any) -> tuple[int, Any]:
        asked = parse_qs(neighbour.requests[-1][1].partition("?")[2])["sku"]
        known = neighbour.products  # type: ignore[attr-defined]
        return 200, {"items": [known[sku] for sku in asked if sku in known], "next": None}

    neighbour.answers["GET", "/api/catalog/products"] = products
    yield neighbour
    neighbour.close()


@pytest.fixture
def make_app(catalog: Neighbour, database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database."""
    options = {"neighbours": {"catalog": catalog.address}, "event_routes": ROUTES}
    with app_maker(create_app, Settings, tmp_path, database_url=database_url, **options) as make:
        yield make
