"""Events as the neighbours send them, and the messages that they lead to."""

from typing import Any

from chassis.testing import as_service, as_user, event


def order_event(type_: str, order_id: str = "order-1", customer: str = "ada", **data: Any) -> dict[str, Any]:
    line = {"sku": "SOUK-000001", "quantity": 2, "price_cents": 61_725}
    everything = {"order_id": order_id, "customer_id": customer, "lines": [line], "total_cents": 123_450}
    return event(type_, order_id, **(everything | {"currency": "EUR", **data}))


def registered(user: str = "ada", name: str = "Ada") -> dict[str, Any]:
    data = {"user_id": user, "email": f"{user}@example.com", "name": name}
    return event("account.registered", user, source="/accounts", **data)


def send(client: Any, message: dict[str, Any], sender: str = "orders") -> int:
    return client.post("/events", json=message, headers=as_service("notifications", sender)).status_code


def messages(client: Any, user: str = "ada", query: str = "") -> list[dict[str, Any]]:
    return client.get(f"/api/notifications{query}", headers=as_user(user)).get_json()["items"]
