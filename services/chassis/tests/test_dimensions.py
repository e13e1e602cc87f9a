"""The few combinations in which `make test` runs whole systems: each two values meet in one of them."""

import itertools

import pytest

from chassis.testing_dimensions import DIMENSIONS, EVERY, PAIRWISE, Combination, covering, having, missing_server

CHOICES = [names for size in range(1, 4) for names in itertools.combinations(DIMENSIONS, size)]


def wanted(names):
    """Computed by itself: of one dimension each value, of more each pair of values of two of them."""
    if len(names) == 1:
        return {(value,) for value in DIMENSIONS[names[0]]}
    pairs = itertools.combinations(names, 2)
    return {pair for first, second in pairs for pair in itertools.product(DIMENSIONS[first], DIMENSIONS[second])}


@pytest.mark.parametrize("names", CHOICES, ids=str)
def test_every_value_and_every_pair_of_values_is_met(names):
    met = set()
    for combination in covering(names):
        values = [getattr(combination, name) for name in names]
        met |= set(itertools.combinations(values, min(2, len(values))))
    assert met == wanted(names)


@pytest.mark.parametrize("names", CHOICES, ids=str)
def test_and_in_as_few_combinations_as_can_be(names):
    largest_two = sorted((len(DIMENSIONS[name]) for name in names), reverse=True)[:2]
    assert len(covering(names)) == (largest_two[0] if len(names) == 1 else largest_two[0] * largest_two[1])


def test_a_value_may_be_fixed():
    assert having(EVERY, {"events": "rabbitmq", "registry": "souk"}) == [
        Combination("sqlite", "rabbitmq", "souk"),
        Combination("postgresql", "rabbitmq", "souk"),
    ]
    by_broker = covering(("database", "registry"), having(PAIRWISE, {"events": "rabbitmq"}))
    assert by_broker == [Combination("sqlite", "rabbitmq", "consul"), Combination("postgresql", "rabbitmq", "souk")]


def test_all_combinations_are_all():
    assert len(set(EVERY)) == 8
    assert set(PAIRWISE) <= set(EVERY)
    assert covering(()) == [Combination("sqlite", "push", "souk")]


def test_a_server_that_is_required_is_no_reason_to_skip(monkeypatch):
    monkeypatch.setenv("REQUIRED_SERVERS", "PostgreSQL RabbitMQ")
    with pytest.raises(pytest.skip.Exception, match="install it"):
        missing_server("Consul", "install it")
    with pytest.raises(pytest.fail.Exception, match="names RabbitMQ: install it"):
        missing_server("RabbitMQ", "install it")
