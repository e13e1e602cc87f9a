"""Charging in tests."""

from typing import Any

from flask.testing import FlaskClient

GOOD, DECLINED, LATE = "4242424242424242", "4000000000000002", "4000000000000259"


def charge_body(**changes: Any) -> dict[str, Any]:
    return {"amount_cents": 1_500, "currency": "EUR", "card": GOOD, "reference": "order-1"} | changes


def charge(client: FlaskClient, key: str = "key-1", headers: dict[str, str] | None = None, **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} | (headers or {})
    return client.post("/charges", json=charge_body(**changes), headers=headers)


def refund(client: FlaskClient, key: str = "refund-1", charge_key: str = "key-1") -> Any:
    return client.post("/refunds", json={"charge_key": charge_key}, headers={"Idempotency-Key": key})


def books(client: FlaskClient) -> list[dict[str, Any]]:
    return client.get("/charges?limit=1000").json["items"]


def behave(client: FlaskClient, **changes: Any) -> None:
    assert client.put("/settings", json=changes).status_code == 200
