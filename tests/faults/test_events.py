"""Events that come twice, late, in any order, or that nobody can take: nothing is lost, and nothing is doubled."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from bench.customer import ACCEPTED, Customer
from bench.system import System, eventually
from chassis.service_tokens import ServiceTokens

pytestmark = [pytest.mark.faults, pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

SKU = "SOUK-000090"
MAX_TRIES = 3


@pytest.fixture(scope="module")
def shop() -> Iterator[System]:
    with System(EVENT_MAX_TRIES=str(MAX_TRIES)) as system:
        yield system.up()


@pytest.fixture
def customer(shop: System) -> Customer:
    customer = shop.customer()
    customer.must("PUT", f"/api/carts/mine/items/{SKU}", json={"quantity": 50})
    return customer


@dataclass(frozen=True)
class Seen:
    """What events have made of a customer's order, wherever they have an effect."""

    order: dict[str, Any]
    payment: dict[str, Any]
    charges: list[dict[str, Any]]
    stock: dict[str, int]
    in_cart: int
    messages: int


def seen(shop: System, customer: Customer, order: dict[str, Any]) -> Seen:
    return Seen(
        customer.get(f"/api/orders/{order['id']}"),
        customer.get(f"/api/payments/{order['id']}"),
        shop.charges(order["id"]),
        customer.get(f"/api/inventory/stock/{SKU}"),
        pieces_in_cart(customer),
        len(customer.get("/api/notifications")["items"]),
    )


def pieces_in_cart(customer: Customer) -> int:
    return sum(item["quantity"] for item in customer.get("/api/carts/mine")["items"])


def events_about(shop: System, subject: str) -> list[tuple[str, str, str]]:
    """(emitter, subscriber, body) of every delivery about an order, as they stand in the outboxes."""
    found = []
    for emitter in ("inventory", "orders", "payments"):
        with closing(sqlite3.connect(shop.home / "data" / f"{emitter}.db")) as connection:
            rows = connection.execute("SELECT subscriber, body FROM outbox WHERE subject = ? ORDER BY seq", [subject])
            found += [(emitter, subscriber, body) for subscriber, body in rows]
    return found


def post(shop: System, emitter: str, subscriber: str, body: str) -> requests.Response:
    """Deliver an event by hand, as the emitter would."""
    (address, *_) = shop.registered(subscriber).values()
    token = ServiceTokens(emitter, shop.home / "keys" / "service.keys").sign(subscriber)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{address}/events", data=body, headers=headers, timeout=30)


def cloud_event(type_: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    about = {"id": str(uuid.uuid4()), "type": type_, "source": "/orders", "subject": subject, "time": now}
    return {"specversion": "1.0", "datacontenttype": "application/json", **about, "data": data}


def test_delivered_twice_and_backwards(shop: System, customer: Customer) -> None:
    order = customer.follow(customer.place({SKU: 2}))
    assert order["state"] == "CONFIRMED"
    assert "0 findings" in shop.audit()
    before, letters = seen(shop, customer, order), events_about(shop, order["id"])
    assert (before.in_cart, before.messages, len(before.charges)) == (48, 2, 1)
    # Every delivery but the request for payment: that one is gone, since it held the card.
    assert len(letters) == 6
    for letter in [*letters, *reversed(letters)]:
        assert post(shop, *letter).status_code == 204
    assert "0 findings" in shop.audit()
    assert seen(shop, customer, order) == before


@pytest.mark.parametrize("first", ["what is asked for", "that it was cancelled"])
def test_a_cancellation_and_what_it_cancels_in_any_order(shop: System, customer: Customer, first: str) -> None:
    order_id, who = str(uuid.uuid4()), customer.get("/api/accounts/me")["id"]
    stock = customer.get(f"/api/inventory/stock/{SKU}")
    lines = [{"sku": SKU, "quantity": 3, "price_cents": 100}]
    order = {"order_id": order_id, "customer_id": who, "lines": lines, "total_cents": 300, "currency": "EUR"}
    payment = {"order_id": order_id, "customer_id": who, "amount_cents": 300, "currency": "EUR", "card": ACCEPTED}
    asked = {"inventory": ("order.placed", order), "payments": ("payment.requested", payment)}
    for subscriber, (type_, data) in asked.items():
        both = [cloud_event(type_, order_id, data), cloud_event("order.cancelled", order_id, order)]
        for event in both if first == "what is asked for" else reversed(both):
            for _ in range(2):
                assert post(shop, "orders", subscriber, json.dumps(event)).status_code == 204
    eventually(lambda: customer.get(f"/api/payments/{order_id}")["state"] in ("VOIDED", "REFUNDED"))
    assert customer.get(f"/api/inventory/stock/{SKU}") == stock
    kept = [charge for charge in shop.charges(order_id) if charge["state"] == "CAPTURED"]
    assert kept == []
    if first == "that it was cancelled":
        assert shop.charges(order_id) == []
    assert "0 findings" in shop.audit()


def test_an_event_that_its_subscriber_refuses_is_put_aside(shop: System, customer: Customer) -> None:
    who, subject = customer.get("/api/accounts/me")["id"], f"poison-{uuid.uuid4().hex[:8]}"
    good = {"order_id": subject, "customer_id": who, "lines": [{"sku": SKU, "quantity": 1, "price_cents": 1}]}
    poison = write_event(shop, cloud_event("order.placed", subject, {"nonsense": True}), "carts")
    write_event(shop, cloud_event("order.placed", subject, good), "carts")

    dead = wait_until_dead(shop, poison)
    assert (dead["type"], dead["subscriber"], dead["tries"]) == ("order.placed", "carts", MAX_TRIES)
    assert dead["last_error"].startswith("422")
    eventually(lambda: pieces_in_cart(customer) == 49)  # what stood behind it has arrived
    audit = shop.run("audit", "--within", "5")
    assert audit.returncode == 1
    assert "no event is dead" in audit.stdout

    mend(shop, poison, cloud_event("order.placed", subject, good))
    assert f"event {poison} of orders will be delivered again" in shop.souk("events", "retry", "orders", str(poison))
    eventually(lambda: pieces_in_cart(customer) == 48)
    assert undelivered(shop) == []
    assert "0 findings" in shop.audit()


def test_an_event_at_which_its_subscriber_fails_is_put_aside(shop: System, customer: Customer) -> None:
    shop.souk("fault", "carts", "error")
    orders = [customer.follow(customer.place({SKU: 1})) for _ in range(2)]
    assert [order["state"] for order in orders] == ["CONFIRMED"] * 2  # nobody else waits for carts
    dead = eventually(lambda: [row for row in undelivered(shop) if row["state"] == "dead"][1:] and undelivered(shop))
    assert {row["subject"] for row in dead} == {order["id"] for order in orders}
    assert all(row["last_error"].startswith("500") for row in dead)

    shop.souk("fault", "carts", "off")
    assert pieces_in_cart(customer) == 50
    for row in dead:
        shop.souk("events", "retry", "orders", str(row["seq"]))
    eventually(lambda: undelivered(shop) == [])
    assert pieces_in_cart(customer) == 48
    assert shop.run("events", "retry", "orders", str(dead[0]["seq"])).returncode == 1  # it is dead no more
    assert "0 findings" in shop.audit()


def undelivered(shop: System) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(shop.souk("events", "list", "--json"))
    return rows


def wait_until_dead(shop: System, seq: int) -> dict[str, Any]:
    def dead() -> list[dict[str, Any]]:
        return [row for row in undelivered(shop) if (row["seq"], row["state"]) == (seq, "dead")]

    return eventually(dead)[0]


def write_event(shop: System, event: dict[str, Any], subscriber: str) -> int:
    """Put an event into the outbox of orders, as a release with a mistake in it would; its number."""
    row = {name: event[name] for name in ("type", "subject")} | {"event_id": event["id"], "body": json.dumps(event)}
    row |= {"subscriber": subscriber, "state": "pending", "tries": 0, "created_at": str(datetime.now(UTC))[:26]}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    return change_outbox(shop, f"INSERT INTO outbox ({names}) VALUES ({marks}) RETURNING seq", *row.values())


def mend(shop: System, seq: int, event: dict[str, Any]) -> None:
    change_outbox(shop, "UPDATE outbox SET body = ? WHERE seq = ? RETURNING seq", json.dumps(event), seq)


def change_outbox(shop: System, statement: str, *values: object) -> int:
    with closing(sqlite3.connect(shop.home / "data" / "orders.db", timeout=10)) as connection, connection:
        (number,) = connection.execute(statement, values).fetchone()
    return int(number)
