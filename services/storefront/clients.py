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
            options |= {"token": "user", "user_token": token}
        response = self.calls.request(self.target, method, f"/api/{self.target}{path}", **options)
        raise_for_problem(response)
        return response.json() if response.content else None


class Accounts(Client):
    target = "accounts"

    def sign_up(self, email: str, password: str, name: str) -> Json:
        user: Json = self.ask("POST", "/users", json={"email": email, "password": password, "name": name})
        return user

    def sign_in(self, email: str, password: str) -> Json:
        # Asking twice makes two sessions of which one is never used, so a retry does no harm.
        tokens: Json = self.ask("POST", "/tokens", json={"email": email, "password": password}, idempotent=True)
        return tokens

    def refresh(self, refresh_token: str) -> Json:
        # The token that was just replaced is good for 30 s more, so this may be repeated.
        tokens: Json = self.ask("POST", "/tokens", json={"refresh_token": refresh_token}, idempotent=True)
        return tokens

    def sign_out(self, token: str, refresh_token: str) -> None:
        self.ask("DELETE", "/tokens", token=token, json={"refresh_token": refresh_token})

    def me(self, token: str) -> Json:
        user: Json = self.ask("GET", "/me", token=token, timeout_s=self.soft_timeout_s)
        return user


class Catalog(Client):
    target = "catalog"
    _categories: list[Json] = []
    _categories_until = 0.0

    def products(self, **query: Any) -> Json:
        query = {name: value for name, value in query.items() if value}
        found: Json = self.ask("GET", "/products", params={**query, "limit": PAGE})
        return found

    def some(self, skus: list[str]) -> list[Json]:
        found: Json = self.ask("GET", "/products", params={"sku": skus}, timeout_s=self.soft_timeout_s)
        items: list[Json] = found["items"]
        return items

    def categories(self) -> list[Json]:
        """All categories, remembered for half a minute: every list page shows them, and they hardly change."""
        if time.monotonic() >= self._categories_until:
            found = self.ask("GET", "/categories", params={"limit": 100}, timeout_s=self.soft_timeout_s)
            self._categories, self._categories_until = found["items"], time.monotonic() + 30
        return self._categories

    def product(self, sku: str) -> Json:
        found: Json = self.ask("GET", f"/products/{checked(sku)}")
        return found


class Inventory(Client):
    target = "inventory"

    def stock(self, sku: str) -> Json:
        stock: Json = self.ask("GET", f"/stock/{checked(sku)}", timeout_s=self.soft_timeout_s)
        return stock


class Carts(Client):
    target = "carts"

    def mine(self, token: str) -> Json:
        cart: Json = self.ask("GET", "/mine", token=token)
        return cart

    def for_badge(self, token: str) -> Json:
        cart: Json = self.ask("GET", "/mine", token=token, timeout_s=self.soft_timeout_s)
        return cart

    def put(self, token: str, sku: str, quantity: int) -> None:
        self.ask("PUT", f"/mine/items/{checked(sku)}", token=token, json={"quantity": quantity})

    def remove(self, token: str, sku: str) -> None:
        self.ask("DELETE", f"/mine/items/{checked(sku)}", token=token)


class Orders(Client):
    target = "orders"

    def place(self, token: str, checkout: Checkout) -> Json:
        headers = {"Idempotency-Key": checkout.key}
        order: Json = self.ask("POST", "", token=token, json=checkout.body, headers=headers, idempotent=True)
        return order

    def mine(self, token: str, cursor: str | None) -> Json:
        orders: Json = self.ask("GET", "", token=token, params={"cursor": cursor} if cursor else None)
        return orders

    def one(self, token: str, order_id: str) -> Json:
        order: Json = self.ask("GET", f"/{order_id}", token=token)
        return order

    def cancel(self, token: str, order_id: str) -> Json:
        order: Json = self.ask("POST", f"/{order_id}/cancellation", token=token, idempotent=True)
        return order


class Payments(Client):
    target = "payments"

    def of_order(self, token: str, order_id: str) -> Json:
        payment: Json = self.ask("GET", f"/{order_id}", token=token, timeout_s=self.soft_timeout_s)
        return payment


class Notifications(Client):
    target = "notifications"

    def mine(self, token: str, cursor: str | None) -> Json:
        messages: Json = self.ask("GET", "", token=token, params={"cursor": cursor} if cursor else None)
        return messages


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
    found: Neighbours = current_app.extensions["storefront.neighbours"]
    return found


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
