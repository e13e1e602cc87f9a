"""What shoppers do, step by step, as plain functions on a `Shop`: browse, fill a cart, check out, follow the order.

A `Shop` is one customer's HTTP client. Every random choice comes from the `random.Random` that is passed in, so
the same seed makes the same journey.
"""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

SEARCHES = ("lamp", "tea", "silver", "carpet", "spice", "bowl", "scarf", "leather")
ENDS = ("CONFIRMED", "CANCELLED")
ACCESS_TOKEN_S = 600  # renewed well before accounts' 900 s are over
COME_AGAIN = (429, 503)
MOST_WAITS = 10
SETTLE_S = 45.0  # an order has 30 s before its deadline cancels it


class Answer(Protocol):
    """What a step needs of an answer; Locust's and requests' both have it."""

    status_code: int
    headers: Any

    def json(self) -> Any: ...


class Request(Protocol):
    """`request(method, path, name=..., json=..., headers=...)`; `name` is the step in the report.

    may_wait: being told to come again later (`Retry-After`) is no failure. expect: text that the body of a 2xx must
    contain, or it is one.
    """

    def __call__(
        self, method: str, path: str, *, name: str, may_wait: bool = False, expect: bytes = b"", **options: Any
    ) -> Answer: ...


class Internal(Protocol):
    """The same to an instance of a service that the caller picks, past the gateway."""

    def __call__(self, service: str, method: str, path: str, *, name: str, **options: Any) -> Answer: ...


def not_inside(service: str, *_: Any, **__: Any) -> Answer:
    """For shoppers who come from outside. Raises PermissionError."""
    raise PermissionError(f"{service} is called by an internal route, and this load knows only the shop's door")


@dataclass
class Shop:
    """One customer at the shop's door. `report(step, seconds, error)` notes what is no single request.

    skus and card: among how many products single orders choose, and what they are paid with.
    """

    request: Request
    rng: random.Random
    email: str
    report: Callable[[str, float, str | None], None]
    sleep: Callable[[float], None] = time.sleep
    token: str = ""
    signed_in_at: float = field(default=float("-inf"))
    password: str = ""
    orders: list[str] = field(default_factory=list)
    skus: int = 100
    card: str = "4242424242424242"
    internal: Internal = not_inside

    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def sign_up(shop: Shop) -> None:
    """Open an account. Its password is random and known to this shopper only."""
    shop.password = uuid.UUID(int=shop.rng.getrandbits(128)).hex
    body = {"email": shop.email, "password": shop.password, "name": "A shopper"}
    _patiently(shop, "/api/accounts/users", "sign up", body)
    sign_in(shop)


def sign_in(shop: Shop) -> None:
    body = {"email": shop.email, "password": shop.password}
    answer = _patiently(shop, "/api/accounts/tokens", "sign in", body)
    if answer.status_code == 200:
        shop.token, shop.signed_in_at = answer.json()["access_token"], time.monotonic()


def _patiently(shop: Shop, path: str, name: str, body: dict[str, Any]) -> Answer:
    """Passwords are dear to check, so accounts tells a crowd to come again, and a good client does."""
    for _ in range(MOST_WAITS):
        answer = shop.request("POST", path, name=name, json=body, may_wait=True)
        if answer.status_code not in COME_AGAIN or "Retry-After" not in answer.headers:
            return answer
        pause = float(answer.headers["Retry-After"])
        shop.report(f"waits to {name}", pause, None)
        shop.sleep(pause)
    return shop.request("POST", path, name=name, json=body)


def browse(shop: Shop) -> list[dict[str, Any]]:
    """Look at a page or search, then at a product or two. Returns the products that were seen."""
    products = _products(shop, "/api/catalog/products?limit=20", "list products")
    if shop.rng.random() < 0.5:
        found = _products(shop, f"/api/catalog/products?q={shop.rng.choice(SEARCHES)}", "search")
        products = found or products
    seen = shop.rng.sample(products, k=min(len(products), shop.rng.randint(1, 2)))
    for product in seen:
        shop.request("GET", f"/api/catalog/products/{product['sku']}", name="look at a product")
        shop.request("GET", f"/api/inventory/stock/{product['sku']}", name="look at the stock")
    return seen


def _products(shop: Shop, path: str, name: str) -> list[dict[str, Any]]:
    answer = shop.request("GET", path, name=name)
    items: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == 200 else []
    return items


def fill_cart(shop: Shop, products: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the products into the cart. Returns the cart's items as the shop sees them."""
    for product in products:
        path, body = f"/api/carts/mine/items/{product['sku']}", {"quantity": shop.rng.randint(1, 3)}
        shop.request("PUT", path, name="put into the cart", json=body, headers=shop.auth())
    answer = shop.request("GET", "/api/carts/mine", name="look at the cart", headers=shop.auth())
    items: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == 200 else []
    return items


def check_out(shop: Shop, items: list[dict[str, Any]]) -> str | None:
    """Order what is in the cart. Returns the order's path, or None when the shop did not take it."""
    lines = [{"sku": item["sku"], "quantity": item["quantity"]} for item in items]
    headers = shop.auth() | {"Idempotency-Key": uuid.UUID(int=shop.rng.getrandbits(128)).hex}
    body = {"lines": lines, "payment": {"card": "4242424242424242"}}
    answer = shop.request("POST", "/api/orders", name="place the order", json=body, headers=headers)
    return answer.headers["Location"] if answer.status_code == 202 else None


def follow(shop: Shop, order: str) -> str | None:
    """Ask for the order until it has ended. Returns its last state, or None when it did not settle in time."""
    began, pause = time.monotonic(), 0.1
    while time.monotonic() - began < SETTLE_S:
        answer = shop.request("GET", order, name="follow the order", headers=shop.auth())
        if answer.status_code == 200 and (state := answer.json()["state"]) in ENDS:
            shop.report("order settles", time.monotonic() - began, None)
            return str(state)
        shop.sleep(pause)
        pause = min(1.0, pause * 1.5)
    shop.report("order settles", time.monotonic() - began, f"did not settle within {SETTLE_S:.0f} s")
    return None


def stay_signed_in(shop: Shop) -> None:
    """Renew the token before it ends."""
    if time.monotonic() - shop.signed_in_at > ACCESS_TOKEN_S:
        sign_in(shop)


def visit(shop: Shop) -> None:
    """One whole visit: browse, and three times in four buy."""
    stay_signed_in(shop)
    products = browse(shop)
    if products and shop.token and shop.rng.random() < 0.75:
        items = fill_cart(shop, products)
        if items and (order := check_out(shop, items)) is not None:
            follow(shop, order)
