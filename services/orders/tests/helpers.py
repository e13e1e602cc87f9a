"""Placing orders in tests."""

from typing import Any

from flask.testing import FlaskClient

from chassis.testing import as_user


def order_body(**changes: Any) -> dict[str, Any]:
    body = {"lines": [{"sku": "LAMP", "quantity": 2}], "payment": {"card": "4242424242424242"}}
    return body | changes


def place(client: FlaskClient, key: str = "key-1", customer: str = "ada", **changes: Any) -> Any:
    headers = as_user(customer) | {"Idempotency-Key": key}
    return client.post("/api/orders", json=order_body(**changes), headers=headers)
