"""Events that come twice, late, in any order, or that nobody can take: nothing is lost, and nothing is doubled."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from bench import deliveries
from bench.combined import Combined
from bench.customer import ACCEPTED, Customer
from bench.system import eventually

pytestmark = [
    pytest.mark.faults,
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.dimensions("database", "events", "registry"),
]

SKU = "SOUK-000090"
MAX_TRIES = 3  # EVENT_MAX_TRIES of these systems


@pytest.fixture
def customer(system: Combined) -> Customer:
    customer = system.customer()
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


def seen(system: Combined, customer: Customer, order: dict[str, Any]) -> Seen:
    return Seen(
        customer.get(f"/api/orders/{order['id']}"),
        customer.get(f"/api/payments/{order['id']}"),
        system.charges(order["id"]),
        customer.get(f"/api/inventory/stock/{SKU}"),
        pieces_in_cart(customer),
        len(customer.get("/api/notifications")["items"]),
    )


def pieces_in_cart(customer: Customer) -> int:
    return sum(item["quantity"] for item in customer.get("/api/carts/mine")["items"])


def cloud_event(type_: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    about = {"id": str(uuid.uuid4()), "type": type_, "source": "/orders", "subject": subject, "time": now}
    return {"specversion": "1.0", "datacontenttype": "application/json", **about, "data": data}


def test_delivered_twice_and_backwards(system: Combined, customer: Customer) -> None:
    order = customer.follow(customer.place({SKU: 2}))
    assert order["state"] == "CONFIRMED"
    assert "0 findings" in system.audit()
    before, letters = seen(system, customer, order), deliveries.about(system, order["id"])
    assert (before.in_cart, before.messages, len(before.charges)) == (48, 2, 1)
    # Every delivery but the request for payment: that one is gone, since it held the card.
    assert len(letters) == 6
    for letter in [*letters, *reversed(letters)]:
        deliveries.deliver(system, *letter)
    assert "0 findings" in system.audit()
    assert seen(system, customer, order) == before


@pytest.mark.parametrize("first", ["what is asked for", "that it was cancelled"])
def test_a_cancellation_and_what_it_cancels_in_any_order(system: Combined, customer: Customer, first: str) -> None:
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
                deliveries.deliver(system, "orders", subscriber, json.dumps(event))
    eventually(lambda: customer.get(f"/api/payments/{order_id}")["state"] in ("VOIDED", "REFUNDED"))
    assert customer.get(f"/api/inventory/stock/{SKU}") == stock
    kept = [charge for charge in system.charges(order_id) if charge["state"] == "CAPTURED"]
    assert kept == []
    if first == "that it was cancelled":
        assert system.charges(order_id) == []
    assert "0 findings" in system.audit()


def refusals(system: Combined, subject: str) -> int:
    """How often carts has said no to it so far."""
    return sum(line.get("subject") == subject and line.get("status") == 422 for line in system.logs("carts"))


def test_an_event_that_its_subscriber_refuses_is_put_aside(system: Combined, customer: Customer) -> None:
    who, subject = customer.get("/api/accounts/me")["id"], f"poison-{uuid.uuid4().hex[:8]}"
    good = {"order_id": subject, "customer_id": who, "lines": [{"sku": SKU, "quantity": 1, "price_cents": 1}]}
    poison = deliveries.write(system, "orders", "carts", cloud_event("order.placed", subject, {"nonsense": True}))
    deliveries.write(system, "orders", "carts", cloud_event("order.placed", subject, good))

    where = deliveries.place_of(system, "orders", "carts", poison)
    dead = wait_until_dead(system, where)
    assert (dead["type"], dead["subscriber"], dead["tries"]) == ("order.placed", "carts", MAX_TRIES)
    assert dead["last_error"].startswith("422")
    eventually(lambda: pieces_in_cart(customer) == 49)  # what stood behind it has arrived
    audit = system.run("audit", "--within", "0")
    assert audit.returncode == 1
    assert "no event is dead" in audit.stdout

    service, seq = where
    mended = cloud_event("order.placed", subject, good)
    if system.combination.events == "push":
        deliveries.rewrite(system, "orders", poison, mended)
        assert f"event {seq} of {service} will be delivered again" in system.souk("events", "retry", service, seq)
    else:  # nobody can change a message: a further try is as useless, and another event takes its place
        system.souk("events", "retry", service, seq)
        eventually(lambda: refusals(system, subject) == 2 * MAX_TRIES)
        wait_until_dead(system, where)
        deliveries.throw_away_dead(system, "carts")
        deliveries.write(system, "orders", "carts", mended)
    eventually(lambda: pieces_in_cart(customer) == 48)
    eventually(lambda: undelivered(system) == [])
    assert "0 findings" in system.audit()


def test_an_event_at_which_its_subscriber_fails_is_put_aside(system: Combined, customer: Customer) -> None:
    system.souk("fault", "carts", "error")
    orders = [customer.follow(customer.place({SKU: 1})) for _ in range(2)]
    assert [order["state"] for order in orders] == ["CONFIRMED"] * 2  # nobody else waits for carts
    dead = eventually(lambda: dead_events(system)[1:] and dead_events(system))
    assert {row["subject"] for row in dead} == {order["id"] for order in orders}
    assert all(row["last_error"].startswith("500") for row in dead)

    system.souk("fault", "carts", "off")
    assert pieces_in_cart(customer) == 50
    for row in dead:
        system.souk("events", "retry", row["service"], str(row["seq"]))
    eventually(lambda: undelivered(system) == [])
    assert pieces_in_cart(customer) == 48
    assert system.run("events", "retry", dead[0]["service"], str(dead[0]["seq"])).returncode == 1  # it is dead no more
    assert "0 findings" in system.audit()


def undelivered(system: Combined) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(system.souk("events", "list", "--json"))
    return rows


def dead_events(system: Combined) -> list[dict[str, Any]]:
    return [row for row in undelivered(system) if row["state"] == "dead"]


def wait_until_dead(system: Combined, where: tuple[str, str]) -> dict[str, Any]:
    return eventually(lambda: [row for row in dead_events(system) if (row["service"], str(row["seq"])) == where])[0]
