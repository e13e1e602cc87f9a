"""HTTP out: one class per neighbour, each method one call of its public API.

Bodies are passed on as they are; the pages take from them what they need. Every method raises the neighbour's
error (`NotFound`, `Unauthenticated`, ...), Unavailable when there is no answer, DeadlinePassed when it is late.
"""

import re
import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from flask import current_app

from chassis.calls import Calls, raise_for_problem
from chassis.errors import NotFound, Problem
from chassis.telemetry import log
from storefront.schemas import Checkout

Json = dict[str, Any]
Result = TypeVar("Result")
PAGE = 24  # fills rows of two, three and four


class Client:
    """One neighbour. soft_timeout_s: how long a page waits for what it can do without."""

    target: ClassVar[str]

    def __init__(self, calls: Calls, soft_timeout_s: float) -> None:
        self.calls, self.soft_timeout_s = calls, soft_timeout_s

    def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Any:
        if token is not None:
            options |= {"token": "user", "user_token": token}  # nosec B105 # whose token, not a token
        response = self.calls.request(self.target, method, f"/api/{self.target}{path}", **options)
        raise_for_problem(response)
        return response.json() if response.content else None


class Accounts(Client):
    target = "accounts"

    def sign_up(self, email: str, password: str, name: str) -> Json:
        return self.ask("POST", "/users", json={"email": email, "password": password, "name": name})

    def sign_in(self, email: str, password: str) -> Json:
        # Asking twice makes two sessions of which one is never used, so a retry does no harm.
        return self.ask("POST", "/tokens", json={"email": email, "password": password}, idempotent=True)

    def refresh(self, refresh_token: str) -> Json:
        # The token that was just replaced is good for 30 s more, so this may be repeated.
        return self.ask("POST", "/tokens", json={"refresh_token": refresh_token}, idempotent=True)

    def sign_out(self, token: str, refresh_token: str) -> None:
        self.ask("DELETE", "/tokens", token=token, json={"refresh_token": refresh_token})

    def me(self, token: str) -> Json:
        return self.ask("GET", "/me", token=token, timeout_s=self.soft_timeout_s)


class Catalog(Client):
    target = "catalog"
    _categories: list[Json] = []
    _categories_until = 0.0

    def products(self, **query: Any) -> Json:
        query = {name: value for name, value in query.items() if value}
        return self.ask("GET", "/products", params={**query, "limit": PAGE})

    def some(self, skus: list[str]) -> list[Json]:
        return self.ask("GET", "/products", params={"sku": skus}, timeout_s=self.soft_timeout_s)["items"]

    def categories(self) -> list[Json]:
        """All categories, remembered for half a minute: every list page shows them, and they hardly change."""
        if time.monotonic() >= self._categories_until:
            found = self.ask("GET", "/categories", params={"limit": 100}, timeout_s=self.soft_timeout_s)
            self._categories, self._categories_until = found["items"], time.monotonic() + 30
        return self._categories

    def product(self, sku: str) -> Json:
        return self.ask("GET", f"/products/{checked(sku)}")


class Inventory(Client):
    target = "inventory"

    def stock(self, sku: str) -> Json:
        return self.ask("GET", f"/stock/{checked(sku)}", timeout_s=self.soft_timeout_s)


class Carts(Client):
    target = "carts"

    def mine(self, token: str) -> Json:
        return self.ask("GET", "/mine", token=token)

    def for_badge(self, token: str) -> Json:
        return self.ask("GET", "/mine", token=token, timeout_s=self.soft_timeout_s)

    def put(self, token: str, sku: str, quantity: int) -> None:
        self.ask("PUT", f"/mine/items/{checked(sku)}", token=token, json={"quantity": quantity})

    def remove(self, token: str, sku: str) -> None:
        self.ask("DELETE", f"/mine/items/{checked(sku)}", token=token)


class Orders(Client):
    target = "orders"

    def place(self, token: str, checkout: Checkout) -> Json:
        headers = {"Idempotency-Key": checkout.key}
        return self.ask("POST", "", token=token, json=checkout.body, headers=headers, idempotent=True)

    def mine(self, token: str, cursor: str | None) -> Json:
        return self.ask("GET", "", token=token, params={"cursor": cursor} if cursor else None)

    def one(self, token: str, order_id: str) -> Json:
        return self.ask("GET", f"/{order_id}", token=token)

    def cancel(self, token: str, order_id: str) -> Json:
        return self.ask("POST", f"/{order_id}/cancellation", token=token, idempotent=True)


class Payments(Client):
    target = "payments"

    def of_order(self, token: str, order_id: str) -> Json:
        return self.ask("GET", f"/{order_id}", token=token, timeout_s=self.soft_timeout_s)


class Notifications(Client):
    target = "notifications"

    def mine(self, token: str, cursor: str | None) -> Json:
        return self.ask("GET", "", token=token, params={"cursor": cursor} if cursor else None)


class Neighbours:
    """All that a page may ask."""

    def __init__(self, calls: Calls, soft_timeout_s: float) -> None:
        self.accounts = Accounts(calls, soft_timeout_s)
        self.catalog = Catalog(calls, soft_timeout_s)
        self.inventory = Inventory(calls, soft_timeout_s)
        self.carts = Carts(calls, soft_timeout_s)
        self.orders = Orders(calls, soft_timeout_s)
        self.payments = Payments(calls, soft_timeout_s)
        self.notifications = Notifications(calls, soft_timeout_s)


def neighbours() -> Neighbours:
    """Those of the running application."""
    return current_app.extensions["storefront.neighbours"]


def if_possible(ask: Callable[[], Result]) -> Result | None:
    """The answer, or None when it cannot be had: for what a page can do without."""
    try:
        return ask()
    except Problem as problem:
        log.info("a part of the page is left out", status=problem.status, why=problem.detail)
        return None


def checked(sku: str) -> str:
    """The SKU, safe in a path. Raises NotFound for what cannot be one, such as `..`."""
    if not re.fullmatch(r"[A-Z0-9-]{1,32}", sku):
        raise NotFound("there is no such product")
    return sku
