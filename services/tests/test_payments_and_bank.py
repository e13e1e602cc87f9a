"""Payments with its workers running in three replicas, and the real bank, which behaves badly and then well again."""

import threading
from contextlib import ExitStack, contextmanager

import pytest

from chassis.testing import as_service, event, eventually
from services.tests.shop import DECLINED, GOOD, LATE

WELL = {"latency_ms": 0, "failure_rate": 0, "decline_rate": 0, "away": False, "answer_after_ms": 0}
ENDS = {"CAPTURED", "DECLINED", "VOIDED", "REFUNDED"}


@pytest.fixture
def replicas(shop):
    """Three replicas of payments; `working()` runs their workers."""
    apps = [shop.app("payments") for _ in range(3)]
    yield apps
    shop.bank(**WELL)
    for app in apps:
        app.extensions["souk.calls"].stop()


@contextmanager
def working(apps):
    with ExitStack() as stack:
        for app in apps:
            (workers,) = [part for part in app.extensions["souk.background"] if hasattr(part, "look")]
            workers.start()
            stack.callback(workers.stop)
        yield


def send(app, type_, order_id, **data):
    message = event(type_, order_id, order_id=order_id, **data)
    assert app.test_client().post("/events", json=message, headers=as_service("payments")).status_code == 204


def request_payment(app, order_id, card=GOOD, amount_cents=700):
    send(app, "payment.requested", order_id, customer_id="ada", amount_cents=amount_cents, currency="EUR", card=card)


def states(shop, orders):
    """The state of each payment; None for one that is not there."""
    return {order_id: shop.payment_seen(order_id).get("state") for order_id in orders}


def charges(shop, orders):
    """The bank's charges for these orders: reference -> states."""
    found = {order_id: [] for order_id in orders}
    for charge in shop.items("bank", "/charges"):
        if charge["reference"] in found:
            found[charge["reference"]].append(charge["state"])
    return found


@pytest.mark.parametrize(
    ("card", "state", "charge"),
    [(GOOD, "CAPTURED", "CAPTURED"), (DECLINED, "DECLINED", "DECLINED"), (LATE, "CAPTURED", "CAPTURED")],
)
def test_each_card_leads_where_it_should(shop, replicas, card, state, charge):
    order_id = f"card-{card}"
    with working(replicas):
        request_payment(replicas[0], order_id, card)
        eventually(lambda: states(shop, [order_id]) == {order_id: state})
    assert charges(shop, [order_id]) == {order_id: [charge]}


def test_a_late_charge_of_a_cancelled_order_is_given_back(shop, replicas):
    with working(replicas):
        request_payment(replicas[0], "late", LATE)
        eventually(lambda: charges(shop, ["late"]) == {"late": ["CAPTURED"]})  # and nobody knows it yet
        send(replicas[1], "order.cancelled", "late")
        eventually(lambda: states(shop, ["late"]) == {"late": "REFUNDED"})
    assert charges(shop, ["late"]) == {"late": ["REFUNDED"]}


def test_a_bank_that_answers_every_charge_too_late_is_asked_what_became_of_it(shop, replicas):
    shop.bank(answer_after_ms=600)  # three times as long as payments waits
    with working(replicas):
        request_payment(replicas[0], "never-answered")
        eventually(lambda: states(shop, ["never-answered"]) == {"never-answered": "CAPTURED"})
        send(replicas[0], "order.cancelled", "never-answered")
        eventually(lambda: states(shop, ["never-answered"]) == {"never-answered": "REFUNDED"})
    assert charges(shop, ["never-answered"]) == {"never-answered": ["REFUNDED"]}


def test_while_the_bank_is_away_nothing_is_charged_for_an_order_that_is_cancelled(shop, replicas):
    shop.bank(away=True)
    with working(replicas):
        request_payment(replicas[0], "waits")
        request_payment(replicas[0], "gives-up")
        send(replicas[1], "order.cancelled", "gives-up")
        eventually(lambda: states(shop, ["gives-up"]) == {"gives-up": "VOIDED"})
        shop.bank(**WELL)
        eventually(lambda: states(shop, ["waits"]) == {"waits": "CAPTURED"})
    assert charges(shop, ["waits", "gives-up"]) == {"waits": ["CAPTURED"], "gives-up": []}


@pytest.mark.parametrize(
    "behaviour",
    [{"failure_rate": 0.6}, {"latency_ms": 300}, {"answer_after_ms": 400}, {"away": True}, WELL],
    ids=["fails", "slow", "answers late", "away", "well"],
)
def test_whatever_the_bank_does_nobody_pays_twice_or_for_nothing(shop, replicas, behaviour):
    orders = [f"{next(iter(behaviour))}-{len(behaviour)}-{number}" for number in range(12)]
    given_up = orders[::2]
    shop.bank(**behaviour)
    with working(replicas):

        def live_through(order_id, number):
            request_payment(replicas[number % 3], order_id, LATE if number == 4 else GOOD)
            request_payment(replicas[(number + 1) % 3], order_id, LATE if number == 4 else GOOD)
            if order_id in given_up:
                send(replicas[(number + 2) % 3], "order.cancelled", order_id)

        threads = [
            threading.Thread(target=live_through, args=(order_id, number)) for number, order_id in enumerate(orders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        threading.Event().wait(1.0)  # let it go wrong for a while
        shop.bank(**WELL)
        eventually(lambda: ENDS.issuperset(states(shop, orders).values()), within_s=60)
    ended, charged = states(shop, orders), charges(shop, orders)
    for order_id in orders:
        if order_id in given_up:
            assert (ended[order_id], charged[order_id]) in (("VOIDED", []), ("REFUNDED", ["REFUNDED"]))
        else:
            assert (ended[order_id], charged[order_id]) == ("CAPTURED", ["CAPTURED"])
