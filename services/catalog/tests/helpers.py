"""What the tests of catalog say again and again."""

from typing import Any

from flask.testing import FlaskClient

from chassis.testing import as_operator

PRODUCTS = "/api/catalog/products"
LAMP = {
    "name": "Brass lamp",
    "description": "Throws a pattern on the wall.",
    "category": "Lamps",
    "price_cents": 4500,
    "currency": "EUR",
}


def put(client: FlaskClient, sku: str, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    """Write a lamp, or what `changes` make of it, as an operator."""
    return client.put(f"{PRODUCTS}/{sku}", json={**LAMP, **changes}, headers={**as_operator(), **(headers or {})})


def skus(client: FlaskClient, query: str = "") -> list[str]:
    """The skus on the first page of a list."""
    response = client.get(f"{PRODUCTS}?{query}")
    assert response.status_code == 200, response.text
    return [item["sku"] for item in response.json["items"]]
