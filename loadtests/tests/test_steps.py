"""Single requests: what they ask for, and that a seed decides it."""

import itertools
import random
from types import SimpleNamespace

import pytest

from loadtests import steps
from loadtests.journeys import Shop


def asked(journey, seed=1, status=200, **shop):
    """The requests that a journey makes at a shop that answers `status`."""
    sent = []

    def request(method, path, *, name, **options):
        sent.append((name, method, path, options))
        return SimpleNamespace(status_code=status, headers={"Location": "/api/orders/17"}, json=dict)

    def internal(service, method, path, **options):
        return request(method, f"{service}:{path}", **options)

    own = Shop(request, random.Random(seed), "", lambda *_: None, token="t", signed_in_at=float("inf"), **shop)
    own.internal = internal
    steps.JOURNEYS[journey](own)
    return sent


@pytest.mark.parametrize("journey", [name for name in steps.JOURNEYS if name != "visit"])
def test_the_seed_decides_what_is_asked_for(journey):
    def choices(seeds):
        found = [asked(journey, seed=seed) for seed in seeds]
        for *_, options in itertools.chain.from_iterable(found):
            options.get("json", {}).pop("time", None)  # an event says when it was sent
        return found

    assert choices(range(5)) == choices(range(5))
    assert choices(range(5)) != choices(range(5, 10))


@pytest.mark.parametrize("journey", ["page", "fresh_product"])
def test_what_no_cache_may_have_is_asked_for_with_arguments_that_no_other_run_has(journey, monkeypatch):
    ((_, _, before, _),) = asked(journey, seed=3)
    monkeypatch.setattr(steps, "RUN", "another")
    ((_, _, after, _),) = asked(journey, seed=3)
    assert before != after
    assert before.partition("visit")[0] == after.partition("visit")[0]


@pytest.mark.parametrize(
    ("journey", "key"),
    [
        ("order", lambda options: options["headers"]["Idempotency-Key"]),
        ("charge", lambda options: options["json"]["reference"]),
        ("reserve", lambda options: options["json"]["id"]),
    ],
)
def test_a_second_run_of_the_same_seed_repeats_nothing_of_the_first_one(journey, key, monkeypatch):
    """A repetition is answered at once, so whoever measures it measures nothing."""
    ((*_, before),) = asked(journey, seed=3, status=202)
    monkeypatch.setattr(steps, "RUN", "0" * 8)
    ((*_, after),) = asked(journey, seed=3, status=202)
    assert key(before) != key(after)
    assert len(key(before)) == len(key(after)) == 32


def test_with_one_sku_everybody_wants_the_same():
    for seed in range(5):
        ((_, _, _, options),) = asked("order", seed=seed, status=202, skus=1)
        assert options["json"]["lines"] == [{"sku": "SOUK-000001", "quantity": 1}]


def test_each_order_has_a_key_of_its_own_and_its_customers_token():
    keys = {asked("order", seed=seed, status=202)[0][3]["headers"]["Idempotency-Key"] for seed in range(20)}
    assert len(keys) == 20
    assert asked("order")[0][3]["headers"]["Authorization"] == "Bearer t"


def test_who_has_no_order_to_look_at_places_one_first():
    assert [name for name, *_ in asked("look", status=202)] == ["order", "look"]


def test_calls_past_the_gateway_name_the_service():
    assert asked("charge")[0][2] == "payments:/internal/charges"
    assert asked("direct_product")[0][2].startswith("catalog:/api/catalog/products/SOUK-")
