"""What the tests of carts say again and again."""

from typing import Any
from urllib.parse import parse_qs

from flask.testing import FlaskClient

from chassis.testing import Neighbour, as_service, as_user, event

MINE = "/api/carts/mine"
ADA = as_user("ada")


class FakeCatalog(Neighbour):
    """Has a lamp and tea; `prices` and `names` may be changed, `away` makes it answer 503."""

    def __init__(self) -> None:
        super().__init__()
        self.prices = {"LAMP": 4500, "TEA": 350} | {f"S-{number:02}": number + 1 for number in range(60)}
        self.away = False

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        # Not by `answers`, whose functions do not see the query, and of two threads' requests either may be last.
        if self.away:
            return 503, {"detail": "away"}
        if self.answers or not path.startswith("/api/catalog/products?"):
            return super()._answer(method, path, body)
        query = parse_qs(path.partition("?")[2])
        items = [
            {"sku": sku, "name": f"A {sku}", "price_cents": self.prices[sku], "currency": "EUR", "category": "All"}
            for sku in sorted(query["sku"])
            if sku in self.prices
        ]
        return 200, {"items": items[: int(query.get("limit", ["20"])[0])], "next": None}


def put(client: FlaskClient, sku: str, quantity: int = 1, customer: str = "ada") -> Any:
    return client.put(f"{MINE}/items/{sku}", json={"quantity": quantity}, headers=as_user(customer))


def cart(client: FlaskClient, customer: str = "ada") -> dict[str, int]:
    """What is in the cart: sku -> quantity."""
    response = client.get(MINE, headers=as_user(customer))
    assert response.status_code == 200, response.text
    return {item["sku"]: item["quantity"] for item in response.json["items"]}


def placed(*lines: tuple[str, int], customer: str = "ada", **changes: Any) -> dict[str, Any]:
    """An order.placed as orders sends it."""
    body = [{"sku": sku, "quantity": quantity, "price_cents": 100} for sku, quantity in lines]
    data = {"order_id": "o1", "customer_id": customer, "lines": body, "total_cents": 1, "currency": "EUR"}
    return event("order.placed", "o1", **{**data, **changes})


def deliver(client: FlaskClient, *events: dict[str, Any]) -> None:
    for each in events:
        response = client.post("/events", json=each, headers=as_service("carts"))
        assert response.status_code == 204, response.text
