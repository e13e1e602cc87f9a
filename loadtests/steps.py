"""Single requests as journeys of their own, for loads that ask one thing only. `journeys.py` has the whole visit.

Each is a plain function on a `Shop`, and the name of its step in the samples is the name of the function.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from loadtests.journeys import Shop, stay_signed_in, visit

ORDERS_REMEMBERED = 100
# The same seed makes the same choices, so of two runs the second would find the first one's answers in the caches, and
# its orders, charges and reservations would be repetitions of the first one's, which cost next to nothing.
RUN = uuid.uuid4().hex[:8]


def page(shop: Shop) -> None:
    """A page of the catalog that no cache has: nobody has asked with this argument before."""
    path = f"/api/catalog/products?limit=20&visit={_unseen(shop)}"
    shop.request("GET", path, name="page", expect=b'"items"')


def product(shop: Shop) -> None:
    sku = _sku(shop)
    shop.request("GET", f"/api/catalog/products/{sku}", name="product", expect=sku.encode())


def fresh_product(shop: Shop) -> None:
    """A product that no cache has."""
    sku = _sku(shop)
    path = f"/api/catalog/products/{sku}?visit={_unseen(shop)}"
    shop.request("GET", path, name="fresh_product", expect=sku.encode())


def stock(shop: Shop) -> None:
    sku = _sku(shop)
    shop.request("GET", f"/api/inventory/stock/{sku}", name="stock", expect=sku.encode())


def look(shop: Shop) -> None:
    """An order of one's own, with a token and a query; places one first if this customer has none."""
    if not shop.orders:
        order(shop)
    if shop.orders:
        path = shop.rng.choice(shop.orders)
        expect = path.rpartition("/")[2].encode()
        shop.request("GET", path, name="look", headers=shop.auth(), expect=expect)


def payment(shop: Shop) -> None:
    """How an order of one's own is paid; at first it is only placed, since payments hears of it a little later."""
    if not shop.orders:
        order(shop)
    else:
        id = shop.rng.choice(shop.orders).rpartition("/")[2]
        shop.request("GET", f"/api/payments/{id}", name="payment", headers=shop.auth(), expect=id.encode())


def order(shop: Shop) -> None:
    """One piece of one product; nobody follows it. `shop.skus` says among how many products is chosen."""
    stay_signed_in(shop)
    body = {"lines": [{"sku": _sku(shop), "quantity": 1}], "payment": {"card": shop.card}}
    headers = shop.auth() | {"Idempotency-Key": _key(shop)}
    answer = shop.request("POST", "/api/orders", name="order", json=body, headers=headers, expect=b'"state"')
    if answer.status_code == 202 and len(shop.orders) < ORDERS_REMEMBERED:
        shop.orders.append(answer.headers["Location"])


def charge(shop: Shop) -> None:
    """Have payments charge the bank while we wait: an internal call, to an instance that we pick ourselves."""
    body = {"reference": _key(shop), "amount_cents": 100, "currency": "EUR", "card": shop.card}
    shop.internal("payments", "POST", "/internal/charges", name="charge", json=body, expect=b"CAPTURED")


def reserve(shop: Shop) -> None:
    """Tell inventory that an order was placed, as orders does: it puts one piece aside. Nobody else hears of it."""
    order_id = _key(shop)
    data = {"order_id": order_id, "lines": [{"sku": _sku(shop), "quantity": 1, "price_cents": 100}]}
    event = {
        "specversion": "1.0", "id": order_id, "type": "order.placed", "source": "/laboratory", "subject": order_id,
        "time": datetime.now(UTC).isoformat(), "data": data,
    }  # fmt: skip
    shop.internal("inventory", "POST", "/events", name="reserve", json=event)


def direct_product(shop: Shop) -> None:
    """A product from an instance of catalog that we pick ourselves, past the gateway."""
    sku = _sku(shop)
    path = f"/api/catalog/products/{sku}"
    shop.internal("catalog", "GET", path, name="direct_product", expect=sku.encode())


JOURNEYS: dict[str, Callable[[Shop], None]] = {
    step.__name__: step
    for step in (visit, page, product, fresh_product, stock, look, payment, order, charge, reserve, direct_product)
}
SIGNED_IN = {"visit", "look", "payment", "order"}


def _sku(shop: Shop) -> str:
    return f"SOUK-{shop.rng.randrange(1, shop.skus + 1):06}"


def _unseen(shop: Shop) -> str:
    return f"{RUN}{shop.rng.getrandbits(48):x}"


def _key(shop: Shop) -> str:
    return f"{RUN}{shop.rng.getrandbits(96):024x}"
