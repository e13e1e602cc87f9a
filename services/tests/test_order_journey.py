"""An order's whole way through all services, on good days and on bad ones.

The bad days are the heart of it: events come late, twice, in any order and after they were withdrawn, workers die
at the worst moment, the bank fails. In the end every promise must hold.
"""

import random

import pytest

from chassis.testing import as_user
from loadtests.rules import (
    check,
    nobody_is_charged_twice,
    stock_equals_its_movements,
    stock_equals_its_reservations,
    stock_is_never_negative,
)
from orders.saga import cancel_overdue
from services.tests.postman import Postman
from services.tests.shop import DECLINED, GOOD, LATE

# What holds at every moment, and not only in the end.
ALWAYS = (
    nobody_is_charged_twice,
    stock_equals_its_movements,
    stock_equals_its_reservations,
    stock_is_never_negative,
)


@pytest.fixture
def postman(shop):
    shop.bank(away=False, failure_rate=0)
    shop.offer("LAMP", price_cents=4_500)
    shop.offer("RARE", on_hand=3)
    return Postman(shop)


@pytest.fixture(scope="module")
def impatient(shop):
    """A replica of orders whose orders are overdue at once."""
    return shop.app("orders", order_deadline_s=0.000_001).test_client()


def stock(shop, sku):
    row = shop.call("GET", f"/api/inventory/stock/{sku}").json
    return row["on_hand"], row["reserved"]


def states(order):
    return [step["state"] for step in order["history"]]


def test_an_order_is_confirmed_paid_and_taken_from_the_shelf(shop, postman):
    order_id = shop.order(("LAMP", 2))
    postman.finish()
    order = shop.order_seen(order_id)
    assert states(order) == ["PENDING", "RESERVED", "CONFIRMED"]
    assert shop.payment_seen(order_id)["state"] == "CAPTURED"
    assert stock(shop, "LAMP") == (998, 0)
    assert check(shop.books()) == set()


@pytest.mark.parametrize(
    ("line", "card", "reason", "payment"),
    [(("LAMP", 1), DECLINED, "payment_declined", "DECLINED"), (("RARE", 4), GOOD, "out_of_stock", None)],
)
def test_an_order_that_cannot_be_kept_is_cancelled_and_costs_nothing(shop, postman, line, card, reason, payment):
    before = stock(shop, line[0])
    order_id = shop.order(line, card=card)
    postman.finish()
    order = shop.order_seen(order_id)
    assert (order["state"], order["reason"]) == ("CANCELLED", reason)
    assert shop.payment_seen(order_id).get("state") == payment
    assert stock(shop, line[0]) == before
    assert check(shop.books()) == set()


def test_a_customer_who_cancels_while_the_bank_charges_gets_the_money_back(shop, postman):
    order_id = shop.order(("LAMP", 1))
    postman.carry_until("payment.requested")
    postman.pay(dies_when="after asking")
    assert shop.cancel(order_id).status_code == 202
    postman.finish()
    assert shop.order_seen(order_id)["reason"] == "customer"
    assert shop.payment_seen(order_id)["state"] == "REFUNDED"
    assert check(shop.books()) == set()


@pytest.mark.parametrize("late", ["order.placed", "payment.requested"])
def test_what_arrives_after_its_order_was_cancelled_takes_nothing(shop, postman, late):
    before = stock(shop, "LAMP")
    order_id = shop.order(("LAMP", 1))
    while late not in {letter.type for letter in postman.collect()}:
        postman.deliver(postman.collect()[0])
    held_back = [letter for letter in postman.collect() if letter.type == late]
    assert shop.cancel(order_id).status_code == 202
    for letter in postman.collect():
        if letter not in held_back:
            postman.deliver(letter)
    for letter in held_back:
        postman.deliver(letter)
    postman.finish()
    assert shop.payment_seen(order_id).get("state") in (None, "VOIDED")
    assert stock(shop, "LAMP") == before
    assert check(shop.books()) == set()


def test_a_charge_that_is_answered_too_late_still_confirms_the_order(shop, postman):
    order_id = shop.order(("LAMP", 1), card=LATE)
    postman.finish()
    assert shop.order_seen(order_id)["state"] == "CONFIRMED"
    assert check(shop.books()) == set()


class BadDay:
    """Draws what happens next. The same seed draws the same day, as far as the clock lets it."""

    def __init__(self, seed, shop, postman, impatient):
        self.rng, self.shop, self.postman, self.impatient = random.Random(seed), shop, postman, impatient
        self.customer = f"customer-{seed}"
        self.orders = []
        self.lamps = 0

    def step(self):
        weights = {
            self.somebody_orders: 3,
            self.somebody_cancels: 1,
            self.time_runs_out: 1,
            self.a_letter_arrives: 15,
            self.an_old_letter_arrives: 3,
            self.payments_works: 4,
            self.the_bank_changes: 1,
        }
        (what,) = self.rng.choices(list(weights), list(weights.values()))
        print(what.__name__, what() or "")  # for whoever has to understand a failure

    def somebody_orders(self):
        lines = self.rng.choice([[("LAMP", 2)], [("RARE", 1)], [("LAMP", 1), ("RARE", 2)]])
        card = self.rng.choices([GOOD, DECLINED, LATE], [20, 4, 1])[0]
        client = self.rng.choices([None, self.impatient], [5, 1])[0]
        self.orders.append(self.shop.order(*lines, card=card, client=client, customer=self.customer))
        self.lamps += dict(lines).get("LAMP", 0)
        return self.orders[-1], lines, card

    def somebody_cancels(self):
        if self.orders:
            order_id = self.rng.choice(self.orders[-6:])
            return order_id, self.shop.cancel(order_id, self.customer).status_code
        return None

    def time_runs_out(self):
        cancel_overdue(self.shop.database("orders"))

    def a_letter_arrives(self):
        if waiting := self.postman.collect():
            letter = self.rng.choice(waiting)
            self.postman.deliver(letter, answer_arrives=self.rng.random() < 0.8)
            return letter.type, letter.subscriber
        return None

    def an_old_letter_arrives(self):
        seen = self.postman.seen
        letters = self.postman.overtaken() if self.rng.random() < 0.2 else [seen[key] for key in sorted(seen)]
        if letters:
            letter = self.rng.choice(letters)
            self.postman.deliver(letter, answer_arrives=False)
            return letter.type, letter.subscriber
        return None

    def payments_works(self):
        self.postman.pay(dies_when=self.rng.choices([None, "before asking", "after asking"], [4, 1, 3])[0])

    def the_bank_changes(self):
        self.shop.bank(away=self.rng.random() < 0.2, failure_rate=self.rng.choice([0, 0, 0.5]))

    def end(self):
        """The bank is well, and all that is still on its way arrives."""
        self.shop.bank(away=False, failure_rate=0)
        self.postman.finish()
        self.time_runs_out()
        for letter in self.postman.overtaken():
            self.postman.deliver(letter, answer_arrives=False)
        self.postman.finish()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_in_whatever_order_every_promise_holds(shop, postman, impatient, seed):
    day = BadDay(seed, shop, postman, impatient)
    ada = as_user(day.customer)
    shop.call("PUT", "/api/carts/mine/items/LAMP", {"quantity": 1000}, ada)
    for _ in range(200):
        day.step()
    books = shop.books()
    assert [finding for rule in ALWAYS for finding in rule(books)] == []

    day.end()
    assert check(shop.books()) == set()
    (lamps,) = shop.call("GET", "/api/carts/mine", headers=ada).json["items"]
    assert lamps["quantity"] == 1000 - day.lamps
    assert len(shop.items("notifications", "/api/notifications", ada, limit=100)) == len(day.orders)
