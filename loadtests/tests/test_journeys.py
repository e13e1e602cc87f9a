"""What shoppers do, against a shop that answers by script."""

import random
from types import SimpleNamespace

import pytest

from loadtests import journeys
from loadtests.tests.fake_shop import PRODUCTS, FakeShop


class Day:
    """One shopper at a fake shop; `sent` has all requests with what is random in them, `reports` all else."""

    def __init__(self, seed=1, **fake):
        self.fake, self.sent, self.reports = FakeShop(**fake), [], []
        self.shop = journeys.Shop(
            request=self.request,
            rng=random.Random(seed),
            email="ada@souk.example",
            report=lambda *report: self.reports.append(report),
            sleep=lambda seconds: None,
        )

    def request(self, method, path, *, name, may_wait=False, json=None, headers=None):
        self.sent.append((method, path, json, headers))
        status, body, answered = self.fake.answer(method, path, json)
        return SimpleNamespace(status_code=status, headers=answered, json=lambda: body)

    def go(self, visits=5):
        journeys.sign_up(self.shop)
        for _ in range(visits):
            journeys.visit(self.shop)
        return self

    def steps(self):
        return [f"{method} {path}" for method, path, *_ in self.sent]


def test_the_same_seed_makes_the_same_requests():
    assert Day(seed=7).go().sent == Day(seed=7).go().sent
    assert Day(seed=7).go().sent != Day(seed=8).go().sent


def test_a_shopper_browses_buys_and_follows_the_order_to_its_end():
    day = Day().go()
    steps = day.steps()
    assert steps[:2] == ["POST /api/accounts/users", "POST /api/accounts/tokens"]
    bought = steps.count("POST /api/orders")
    assert bought > 0
    assert steps.count("GET /api/orders/17") == bought
    assert [(name, error) for name, _, error in day.reports] == [("order settles", None)] * bought


def test_an_order_is_what_is_in_the_cart_under_a_key_of_its_own():
    day = Day().go(visits=8)
    orders = [(json, headers) for method, path, json, headers in day.sent if f"{method} {path}" == "POST /api/orders"]
    assert all(json["lines"] == [{"sku": PRODUCTS[0]["sku"], "quantity": 2}] for json, _ in orders)
    assert len({headers["Idempotency-Key"] for _, headers in orders}) == len(orders) > 1
    assert all(headers["Authorization"] == "Bearer token" for _, headers in orders)


def test_an_order_that_does_not_end_is_reported(monkeypatch):
    monkeypatch.setattr(journeys, "SETTLE_S", 0.02)
    day = Day(end="RESERVED")
    assert journeys.follow(day.shop, "/api/orders/17") is None
    ((step, _, error),) = day.reports
    assert step == "order settles"
    assert "did not settle" in error
    assert "17" not in error, "Locust keeps a row for each different error"


@pytest.mark.parametrize(
    "broken", ["GET /api/catalog/products", "POST /api/orders", "GET /api/carts/mine", "POST /api/accounts/tokens"]
)
def test_a_shop_that_is_partly_away_does_not_stop_a_shopper(broken):
    day = Day(broken=[broken]).go()
    assert broken in {step.partition("?")[0] for step in day.steps()}


def test_whoever_is_told_to_come_again_does_so_and_buys_nothing_before():
    day = Day(broken=["POST /api/accounts/tokens"])
    journeys.sign_up(day.shop)
    assert {name for name, *_ in day.reports} == {"waits to sign in"}
    journeys.visit(day.shop)
    assert day.steps().count("POST /api/accounts/tokens") == 2 * (journeys.MOST_WAITS + 1)
    assert "POST /api/orders" not in day.steps()
    day.fake.broken.clear()
    day.go()
    assert "POST /api/orders" in day.steps()


def test_a_token_is_renewed_before_it_ends(monkeypatch):
    day = Day().go(visits=1)
    assert day.steps().count("POST /api/accounts/tokens") == 1
    monkeypatch.setattr(journeys, "ACCESS_TOKEN_S", -1.0)
    journeys.visit(day.shop)
    assert day.steps().count("POST /api/accounts/tokens") == 2
