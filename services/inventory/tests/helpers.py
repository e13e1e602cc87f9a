"""What the tests of inventory say again and again."""

from typing import Any

from flask.testing import FlaskClient

from chassis.testing import as_operator, as_service, event, eventually

API = "/api/inventory"


def order(type_: str, order_id: str, *lines: tuple[str, int], **changes: Any) -> dict[str, Any]:
    """An event about an order, as orders sends it."""
    body = [{"sku": sku, "quantity": quantity, "price_cents": 100} for sku, quantity in lines]
    data = {"order_id": order_id, "customer_id": "ada", "lines": body, "total_cents": 1, "currency": "EUR"}
    return event(type_, order_id, **{**data, **changes})


def deliver(client: FlaskClient, *events: dict[str, Any]) -> None:
    """As the relay does: again while it is refused for the moment; each must be taken in the end."""
    for each in events:
        response = eventually(lambda each=each: _taken(client, each), within_s=60)
        assert response.status_code == 204, response.text


def _taken(client: FlaskClient, each: dict[str, Any]) -> Any:
    response = client.post("/events", json=each, headers=as_service("inventory"))
    return None if response.status_code == 503 else response


def count(client: FlaskClient, sku: str, on_hand: int) -> Any:
    return client.put(f"{API}/stock/{sku}", json={"on_hand": on_hand}, headers=as_operator())


def stock(client: FlaskClient, sku: str) -> tuple[int, int]:
    """How many there are, and how many of them are reserved."""
    row = client.get(f"{API}/stock/{sku}").json
    return row["on_hand"], row["reserved"]


def reservations(client: FlaskClient) -> dict[str, str]:
    """The state of each order's reservation."""
    return {row["order_id"]: row["state"] for row in read_all(client, "reservations")}


def read_all(client: FlaskClient, book: str, limit: int = 1000) -> list[dict[str, Any]]:
    items, query = [], f"limit={limit}"
    while True:
        page = client.get(f"{API}/{book}?{query}", headers=as_operator()).json
        items += page["items"]
        if page["next"] is None:
            return items
        query = f"limit={limit}&cursor={page['next']}"


def assert_the_books_agree(client: FlaskClient) -> None:
    """What must hold at any moment: rows, reservations and movements tell the same."""
    held: dict[str, int] = {}
    for reservation in read_all(client, "reservations"):
        if reservation["state"] == "RESERVED":
            for line in reservation["lines"]:
                held[line["sku"]] = held.get(line["sku"], 0) + line["quantity"]
    moved: dict[str, tuple[int, int]] = {}
    for movement in read_all(client, "movements"):
        on_hand, reserved = moved.get(movement["sku"], (0, 0))
        moved[movement["sku"]] = (on_hand + movement["on_hand_delta"], reserved + movement["reserved_delta"])
    for row in read_all(client, "stock"):
        assert row["on_hand"] >= row["reserved"] >= 0, row
        assert row["available"] == row["on_hand"] - row["reserved"]
        assert row["reserved"] == held.get(row["sku"], 0), row
        assert (row["on_hand"], row["reserved"]) == moved.get(row["sku"], (0, 0)), row
