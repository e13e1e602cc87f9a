"""Each rule finds the books that break it, and nothing in books that are right."""

import copy
import dataclasses
from pathlib import Path

import pytest
import requests

from chassis.testing import Neighbour
from loadtests.audit import Books, CannotCheck, Source, audit, check

LINES = [{"sku": "LAMP", "quantity": 2}]


def move(order_id, on_hand, reserved):
    return {"sku": "LAMP", "order_id": order_id, "on_hand_delta": on_hand, "reserved_delta": reserved}


def charge(order_id, state="CAPTURED", amount=900):
    return {"reference": order_id, "state": state, "amount_cents": amount}


def waiting(state="pending"):
    return {
        "service": "orders", "seq": 7, "type": "order.placed", "subscriber": "carts", "state": state,
        "last_error": None,
    }  # fmt: skip


@pytest.fixture
def books():
    """One confirmed order; one each cancelled before the payment, for a declined card, and after the payment."""
    ids = {"good": "CONFIRMED", "early": "CANCELLED", "declined": "CANCELLED", "refunded": "CANCELLED"}
    released = [move(name, 0, delta) for name in ("declined", "refunded") for delta in (2, -2)]
    return Books(
        orders={name: {"id": name, "state": state, "lines": LINES, "total_cents": 900} for name, state in ids.items()},
        payments={
            "good": {"state": "CAPTURED"}, "declined": {"state": "DECLINED"}, "refunded": {"state": "REFUNDED"},
        },
        reservations={
            "good": {"state": "COMMITTED", "lines": LINES},
            "early": {"state": "CANCELLED", "lines": []},
            "declined": {"state": "RELEASED", "lines": LINES},
            "refunded": {"state": "RELEASED", "lines": LINES},
        },
        stock=[{"sku": "LAMP", "on_hand": 8, "reserved": 0}],
        movements=[move(None, 10, 0), move("good", 0, 2), move("good", -2, -2), *released],
        charges=[charge("good"), charge("declined", "DECLINED"), charge("refunded", "REFUNDED")],
        events=[],
    )  # fmt: skip


def test_right_books_have_no_finding(books):
    assert check(books) == set()


BROKEN = {
    "every order ends in CONFIRMED or CANCELLED": lambda b: b.orders["good"].update(state="RESERVED"),
    "a confirmed order is paid exactly once": lambda b: b.charges.remove(charge("good")),
    "a confirmed order's payment is CAPTURED": lambda b: b.payments.pop("good"),
    "no charge is kept for a cancelled order": lambda b: b.charges.append(charge("early")),
    "a cancelled order's payment is given up": lambda b: b.payments["refunded"].update(state="REFUNDING"),
    "nobody is charged twice": lambda b: b.charges.append(charge("good", "REFUNDED")),
    "a confirmed order took exactly its stock": lambda b: b.reservations["good"].update(
        lines=[{"sku": "LAMP", "quantity": 1}]
    ),
    "a cancelled order holds no stock": lambda b: b.reservations["declined"].update(state="RESERVED"),
    "an order's stock leaves once, or not at all": lambda b: b.movements.append(move("good", -2, 0)),
    "never more is reserved than there is": lambda b: b.stock[0].update(reserved=9),
    "what is reserved is reserved for an order": lambda b: b.stock[0].update(reserved=1),
    "every piece of stock came and went by a movement": lambda b: b.stock[0].update(on_hand=9),
    "nothing is taken for an order that does not exist": lambda b: b.orders.pop("good"),
    "no event is dead": lambda b: b.events.append(waiting("dead")),
    "every event is delivered": lambda b: b.events.append(waiting()),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_finds_the_books_that_break_it(books, rule):
    BROKEN[rule](books)
    assert rule in {finding.rule for finding in check(books)}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("a confirmed order is paid exactly once", lambda b: b.charges[0].update(amount_cents=899)),
        ("a confirmed order is paid exactly once", lambda b: b.charges.append(charge("good"))),
        ("a confirmed order is paid exactly once", lambda b: b.charges[0].update(state="REFUNDED")),
        ("a confirmed order's payment is CAPTURED", lambda b: b.payments["good"].update(state="REFUNDED")),
        ("a cancelled order's payment is given up", lambda b: b.payments["declined"].update(state="CAPTURED")),
        ("a confirmed order took exactly its stock", lambda b: b.reservations.pop("good")),
        ("a confirmed order took exactly its stock", lambda b: b.reservations["good"].update(state="RESERVED")),
        ("a cancelled order holds no stock", lambda b: b.reservations["declined"].update(state="COMMITTED")),
        ("an order's stock leaves once, or not at all", lambda b: b.movements.append(move("early", 0, 2))),
        ("an order's stock leaves once, or not at all", lambda b: b.movements.append(move("declined", -2, 0))),
        ("never more is reserved than there is", lambda b: b.stock[0].update(reserved=-1)),
        ("nothing is taken for an order that does not exist", lambda b: b.payments.update(x={"state": "CAPTURED"})),
    ],
)
def test_a_rule_finds_other_ways_to_break_it_too(books, rule, change):
    change(books)
    assert rule in {finding.rule for finding in check(books)}


def test_the_page_lists_every_rule():
    page = (Path(__file__).parents[1] / "README.md").read_text()
    assert [rule for rule in BROKEN if rule not in page] == []


def test_a_finding_names_the_order_and_what_is_wrong(books):
    books.payments["refunded"].update(state="REFUNDING")
    (finding,) = check(books)
    assert str(finding) == "refunded: a cancelled order's payment is given up (it is REFUNDING)"


def test_stock_that_changed_while_it_was_read_proves_nothing(books):
    books.stock[0].update(on_hand=9, reserved=1)
    assert check(dataclasses.replace(books, moving=frozenset({"LAMP"}))) == set()


# --- reading again


def readings(*several):
    rest = list(several)
    return lambda: rest.pop(0) if len(rest) > 1 else rest[0]


def test_what_is_suspicious_only_for_a_while_is_no_finding(books):
    under_way = copy.deepcopy(books)
    under_way.orders["good"].update(state="PENDING")
    under_way.events.append(waiting())
    _, findings = audit(readings(under_way, under_way, books), within_s=60, pause_s=0)
    assert findings == []


def test_another_suspicion_at_each_reading_is_no_finding(books):
    first, second = copy.deepcopy(books), copy.deepcopy(books)
    first.orders["good"].update(state="PENDING")
    second.orders["refunded"].update(state="PENDING")
    _, findings = audit(readings(first, second), within_s=60, pause_s=0)
    assert findings == []


def test_what_stays_is_found_when_the_time_is_over(books):
    books.reservations["declined"].update(state="RESERVED")
    last, findings = audit(lambda: books, within_s=0.05, pause_s=0)
    assert {finding.subject for finding in findings} == {"declined", "LAMP"}
    assert last is books


# --- reading over HTTP


@pytest.fixture
def system():
    neighbour = Neighbour()
    for path in ("orders", "payments", "inventory/stock", "inventory/reservations", "inventory/movements"):
        neighbour.answers["GET", f"/api/{path}"] = (200, {"items": [], "next": None})
    neighbour.answers["GET", "/charges"] = neighbour.answers["GET", "/internal/events"] = (
        200, {"items": [], "next": None},
    )  # fmt: skip
    yield neighbour
    neighbour.close()


def source(system):
    url = f"http://{system.address}"
    return Source(
        url, "operator's token", url, {"orders": url}, lambda service: f"token for {service}", requests.Session
    )


def test_all_pages_are_read_with_the_right_tokens(system):
    first = (200, {"items": [{"id": "1"}], "next": "abc"})
    system.answers["GET", "/api/orders?scope=all&limit=1000"] = first
    system.answers["GET", "/api/orders?scope=all&limit=1000&cursor=abc"] = (200, {"items": [{"id": "2"}], "next": None})
    event = {"seq": 1, "state": "dead"}
    system.answers["GET", "/internal/events?state=dead&limit=1000"] = (200, {"items": [event], "next": None})
    books = source(system).read()
    assert set(books.orders) == {"1", "2"}
    assert books.events == [event | {"service": "orders"}]
    tokens = {path.partition("?")[0]: headers.get("Authorization") for _, path, headers, _ in system.requests}
    assert tokens["/api/payments"] == "Bearer operator's token"
    assert tokens["/internal/events"] == "Bearer token for orders"
    assert tokens["/charges"] is None


def test_what_waits_or_is_dead_at_a_broker_is_read_too_and_is_a_finding(system):
    url = f"http://{system.address}"
    letter = {
        "seq": "orders-7",
        "state": "dead",
        "type": "order.placed",
        "subscriber": "inventory",
        "last_error": "500",
    }
    waiting = {"seq": "waiting", "state": "pending", "type": "3 events", "subscriber": "inventory", "last_error": None}
    system.answers["GET", "/internal/queue"] = (200, {"items": [waiting, letter], "next": None})
    books = dataclasses.replace(source(system), outboxes={}, queues={"inventory": url}).read()
    assert {str(finding) for finding in check(books)} == {
        "inventory event waiting: every event is delivered (3 events from inventory to inventory: waiting)",
        "inventory event orders-7: no event is dead (order.placed from inventory to inventory: 500)",
    }


def test_stock_that_moves_between_two_readings_is_known(system):
    row = {"sku": "LAMP", "on_hand": 8, "reserved": 0}
    still = {"sku": "TEA", "on_hand": 5, "reserved": 0}
    answers = [[row, still], [row | {"on_hand": 7}, still]]
    system.answers["GET", "/api/inventory/stock"] = lambda _: (200, {"items": answers.pop(0), "next": None})
    assert source(system).read().moving == {"LAMP"}


@pytest.mark.parametrize("answer", [(503, {}), (200, {"nothing": []}), (200, [])])
def test_what_cannot_be_read_cannot_be_checked(system, answer):
    system.answers["GET", "/api/payments"] = answer
    with pytest.raises(CannotCheck, match="/api/payments"):
        source(system).read()


def test_a_system_that_is_away_cannot_be_checked(system):
    away = source(system)
    system.close()
    with pytest.raises(CannotCheck, match="cannot read"):
        away.read()
