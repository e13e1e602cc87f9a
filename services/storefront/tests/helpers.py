"""A browser that remembers cookies and sends the forms it was shown, and a market that answers as all services do."""

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.testing import Neighbour, user_token

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ORDER_ID = "0f8e4a52-3c1b-4d79-9a65-7b2f10c3d4e5"
LAMP = {
    "sku": "SOUK-000004", "name": "Mosaic Lantern, 30 cm", "description": "Throws stars.", "category": "Lamps",
    "price_cents": 4290, "currency": "EUR",
}  # fmt: skip
TEA = {**LAMP, "sku": "SOUK-000002", "name": "Desert Mint Tea", "category": "Tea", "price_cents": 590}
SERVICES = ("accounts", "catalog", "inventory", "carts", "orders", "payments", "notifications")


class Market(Neighbour):
    """Stands for all neighbours at once; every answer as the contract has it, and as a test may change it."""

    def __init__(self) -> None:
        super().__init__()
        item = {"sku": LAMP["sku"], "name": LAMP["name"], "quantity": 2, "price_cents": 4290}
        self.cart: dict[str, Any] = {"items": [item], "total_cents": 8580, "currency": "EUR", "stale": False}
        message = {"subject": "Your order is confirmed", "body": "Thank you.", "at": "2030-03-05T14:03:22+00:00"}
        user = {"id": "user-1", "email": "yasmin@souk.example", "name": "Yasmin", "roles": ["customer"]}
        self.answers |= {
            ("GET", "/api/catalog/products"): (200, {"items": [LAMP, TEA], "next": "abc"}),
            ("GET", "/api/catalog/categories"): (200, {"items": [{"category": "Lamps", "products": 9}], "next": None}),
            ("GET", f"/api/catalog/products/{LAMP['sku']}"): (200, LAMP),
            ("GET", f"/api/inventory/stock/{LAMP['sku']}"): (200, {"on_hand": 40, "reserved": 0, "available": 40}),
            ("GET", "/api/carts/mine"): lambda _: (200, self.cart),
            ("PUT", f"/api/carts/mine/items/{LAMP['sku']}"): (200, {}),
            ("DELETE", f"/api/carts/mine/items/{LAMP['sku']}"): (200, {}),
            ("POST", "/api/accounts/users"): (201, user),
            ("POST", "/api/accounts/tokens"): lambda _: (200, tokens()),
            ("DELETE", "/api/accounts/tokens"): (204, None),
            ("GET", "/api/accounts/me"): (200, user),
            ("POST", "/api/orders"): lambda _: (202, order()),
            ("GET", "/api/orders"): lambda _: (200, {"items": [order()], "next": None}),
            ("GET", f"/api/orders/{ORDER_ID}"): lambda _: (200, order()),
            ("POST", f"/api/orders/{ORDER_ID}/cancellation"): lambda _: (202, order("CANCELLED", "customer")),
            ("GET", f"/api/payments/{ORDER_ID}"): (200, {"order_id": ORDER_ID, "state": "CAPTURED"}),
            ("GET", "/api/notifications"): (200, {"items": [message], "next": None}),
        }

    def asked(self, method: str, path: str) -> list[tuple[dict[str, str], Any]]:
        """The (headers, body) of each request for this path."""
        return [(h, body) for m, p, h, body in self.requests if m == method and p.partition("?")[0] == path]

    def fail(self, method: str, path: str, status: int = 503, **problem: Any) -> None:
        self.answers[method, path] = (status, {"title": "no", "detail": "no", "status": status, **problem})


def tokens(expires_in: int = 900, refresh_token: str = "r" * 43) -> dict[str, Any]:
    """What accounts answers: an access token of the usual size."""
    access = user_token("0f8e4a52-3c1b-4d79-9a65-7b2f10c3d4e5", expires_in=expires_in, email="yasmin@souk.example")
    return {
        "access_token": access, "token_type": "Bearer", "expires_in": expires_in, "refresh_token": refresh_token,
    }  # fmt: skip


def order(state: str = "PENDING", reason: str | None = None) -> dict[str, Any]:
    history = [{"state": "PENDING", "at": "2030-03-05T14:03:22+00:00"}]
    if state != "PENDING":
        history.append({"state": state, "at": "2030-03-05T14:03:23+00:00"})
    line = {"sku": LAMP["sku"], "name": LAMP["name"], "quantity": 2, "price_cents": 4290}
    return {
        "id": ORDER_ID, "state": state, "reason": reason, "lines": [line], "total_cents": 8580, "currency": "EUR",
        "history": history,
    }  # fmt: skip


class Browser:
    """A client of one application, with the cookies of one person."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **{"headers": {"Accept": ACCEPT}, "buffered": True, **options})

    def post(self, path: str, form: dict[str, Any], **headers: str) -> TestResponse:
        """Send exactly this form."""
        return self.client.post(path, data=form, headers={"Accept": ACCEPT, **headers})

    def send(self, shown_on: str, action: str, **fields: Any) -> TestResponse:
        """Open a page and send its form with this action, its hidden fields included."""
        return self.post(action, {**hidden_fields(self.get(shown_on).text, action), **fields})

    def sign_in(self) -> TestResponse:
        return self.send("/sign-in", "/sign-in", email="yasmin@souk.example", password="open sesame")


def hidden_fields(html: str, action: str) -> dict[str, list[str]]:
    """The hidden fields of the form with this action."""
    [form] = [f for f in re.findall(r"<form.*?</form>", html, re.S) if f'action="{action}"' in f]
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form):
        fields.setdefault(name, []).append(value)
    return fields


class Outline(HTMLParser):
    """What a page consists of, as far as a screen reader and our content security policy care."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.labelled: set[str | None] = set()
        self._in_label = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "label":
            self._in_label = True
            self.labelled.add(values.get("for"))
        self.tags.append((tag, {**values, "in label": "yes" if self._in_label else None}))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label = False

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)
