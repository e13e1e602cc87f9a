"""How one instance of several is picked."""

import threading
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.balancing import make_strategy
from chassis.instance import Instance
from chassis.load import Load
from chassis.settings import Strategies
from chassis.tests.fake_servers import FakeClock

names = st.sets(st.text("abcdefgh0123456789", min_size=1, max_size=6), min_size=1, max_size=8)


def replicas(*ids, weights=None):
    return [Instance(id, "catalog", "127.0.0.1", 1, weight=(weights or {}).get(id, 1)) for id in ids]


THREE = replicas("a", "b", "c")


def picks(strategy, count, instances=THREE, **options):
    return Counter(strategy.pick(instances, **options).id for _ in range(count))


@pytest.mark.parametrize("name", Strategies)
def test_every_strategy_spares_those_already_tried_and_knows_when_there_is_no_other(name):
    strategy = make_strategy(name, seed=1)
    assert picks(strategy, 50, exclude={"a", "c"}, key="k") == {"b": 50}
    assert strategy.pick(THREE, exclude={"a", "b", "c"}) is None
    assert strategy.pick([]) is None


@pytest.mark.parametrize("name", Strategies)
def test_every_strategy_uses_all_instances(name):
    strategy = make_strategy(name, seed=1)
    used = Counter(strategy.pick(THREE, key=str(n)).id for n in range(300))
    assert set(used) == {"a", "b", "c"}


def test_an_unknown_strategy_is_refused_with_the_names_of_all():
    with pytest.raises(ValueError, match=r"no strategy 'fastest'.*p2c"):
        make_strategy("fastest")


def test_round_robin_is_even_also_from_many_threads():
    strategy = make_strategy("round_robin")
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(picks(strategy, 300))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(counts, Counter())
    assert total == {"a": 1000, "b": 1000, "c": 1000}


def test_random_is_even_in_the_long_run_and_repeatable_by_its_seed():
    total = picks(make_strategy("random", seed=7), 3000)
    assert max(total.values()) < 1200
    assert total == picks(make_strategy("random", seed=7), 3000)


def test_two_choices_never_take_the_busiest_of_three():
    load = Load()
    strategy = make_strategy("p2c", seed=3, load=load)
    with load.counting("a"), load.counting("a"), load.counting("b"):
        total = picks(strategy, 600)
    assert total["a"] == 0
    assert total["c"] > total["b"] > 0


def took(load, clock, id, seconds):
    with load.counting(id):
        clock.now += seconds


def test_two_choices_leave_a_slow_one_alone_and_try_it_again_later():
    clock = FakeClock()
    load = Load(clock)
    strategy = make_strategy("p2c", seed=3, load=load)
    for id in "abc":
        took(load, clock, id, 0.005)
    assert max(picks(strategy, 600).values()) < 300
    took(load, clock, "a", 0.5)
    assert picks(strategy, 600)["a"] == 0
    for _ in range(10):
        took(load, clock, "a", 0.005)
    assert picks(strategy, 600)["a"] == 0, "a few good answers are not enough"
    clock.now += 60
    assert picks(strategy, 600)["a"] > 100


def test_a_slow_one_is_still_taken_when_the_others_have_more_to_do():
    clock = FakeClock()
    load = Load(clock)
    took(load, clock, "a", 0.15)  # 50 ms are expected
    with ExitStack() as busy:
        for _ in range(10):
            busy.enter_context(load.counting("b"))
        assert load.of("a") < load.of("b")
    assert load.of("a") > load.of("b")


def test_requests_are_counted_while_they_last_and_instances_do_not_pile_up():
    load = Load()
    idle = load.of("a")
    with pytest.raises(ZeroDivisionError), load.counting("a"):
        assert load.of("a") == 2 * idle
        raise ZeroDivisionError
    assert load.of("a") == idle
    for number in range(5_000):
        with load.counting(str(number)):
            pass
    assert len(load._known) <= 1_001


def test_weights_are_kept_exactly_and_the_heavy_one_is_spread_out():
    heavy = replicas("a", "b", "c", weights={"a": 5})
    strategy = make_strategy("weighted")
    assert "".join(strategy.pick(heavy).id for _ in range(7)) == "aabacaa"  # as in nginx's own description
    assert picks(strategy, 700, heavy) == {"a": 500, "b": 100, "c": 100}


def test_weights_from_many_threads_are_kept_exactly():
    heavy = replicas("a", "b", weights={"a": 3})
    strategy = make_strategy("weighted")
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(picks(strategy, 100, heavy))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts, Counter()) == {"a": 600, "b": 200}


@given(names, st.text())
def test_two_callers_hash_a_key_to_the_same_instance_in_whatever_order_they_know_them(ids, key):
    one, two = make_strategy("consistent_hash"), make_strategy("consistent_hash")
    forwards, backwards = replicas(*sorted(ids)), replicas(*sorted(ids, reverse=True))
    assert one.pick(forwards, key) == two.pick(backwards, key)


@given(names, st.text("xyz", min_size=1, max_size=5), st.text())
def test_who_joins_takes_keys_and_moves_none_between_the_others(ids, joining, key):
    strategy = make_strategy("consistent_hash")
    before = strategy.pick(replicas(*ids), key).id
    after = strategy.pick(replicas(*ids, joining), key).id
    assert after in (before, joining)


@given(names, st.text())
def test_who_is_tried_in_vain_is_replaced_as_if_it_had_left(ids, key):
    strategy = make_strategy("consistent_hash")
    first = strategy.pick(replicas(*ids), key)
    second = strategy.pick(replicas(*ids), key, exclude={first.id})
    assert second == (strategy.pick(replicas(*(ids - {first.id})), key) if len(ids) > 1 else None)


def test_keys_spread_evenly_over_the_ring():
    strategy = make_strategy("consistent_hash")
    five = replicas(*"abcde")
    total = Counter(strategy.pick(five, key=f"customer-{n}").id for n in range(5000))
    assert 500 < min(total.values()) <= max(total.values()) < 1500
