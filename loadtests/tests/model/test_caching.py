import random
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import caching
from loadtests.tests.model.steady import steady


def test_a_cache_that_answers_in_a_tenth_pays_from_a_tenth_on():
    assert caching.break_even(look_s=0.001, miss_s=0.01) == pytest.approx(0.1)
    assert caching.mean_time_s(0.1, look_s=0.001, miss_s=0.01) == pytest.approx(0.01)
    assert caching.mean_time_s(0.9, look_s=0.001, miss_s=0.01) == pytest.approx(0.002)


def test_storing_counts_too_and_a_slow_cache_never_pays():
    assert caching.break_even(look_s=0.001, miss_s=0.01, store_s=0.002) == pytest.approx(0.25)
    assert caching.break_even(look_s=0.02, miss_s=0.01) > 1


@steady
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1))
def test_at_the_break_even_a_cache_neither_saves_nor_costs(look_s, store_s, miss_s):
    rate = caching.break_even(look_s, miss_s, store_s)
    if rate <= 1:
        assert caching.mean_time_s(rate, look_s, miss_s, store_s) == pytest.approx(miss_s)


def test_the_hit_rate_of_a_ttl_cache_is_that_of_a_played_one():
    rng, rate, ttl_s, requests = random.Random(3), 4.0, 2.0, 100_000
    now, filled, hits = 0.0, float("-inf"), 0
    for _ in range(requests):
        now += rng.expovariate(rate)
        if now - filled < ttl_s:
            hits += 1
        else:
            filled = now
    assert caching.ttl_hit_rate(rate, ttl_s) == pytest.approx(8 / 9)
    assert hits / requests == pytest.approx(8 / 9, abs=0.005)


@steady
@given(st.floats(0, 1e6), st.floats(0.01, 100))
def test_the_origin_is_asked_at_most_once_in_a_time_to_live(rate, ttl_s):
    assert caching.origin_rate(rate, ttl_s) <= min(rate, 1 / ttl_s) + 1e-9


def test_zipf_falls_with_the_rank():
    assert caching.zipf(3) == pytest.approx([6 / 11, 3 / 11, 2 / 11])
    assert caching.zipf(4, exponent=0) == pytest.approx([0.25] * 4)


def test_many_objects_are_hit_less_than_one():
    popularity = caching.zipf(1000, 0.8)
    spread = caching.ttl_hit_rate_of_all(100, popularity, 2)
    assert 0 < spread < caching.ttl_hit_rate(100, 2)
    assert caching.ttl_hit_rate_of_all(100, [1.0], 2) == pytest.approx(caching.ttl_hit_rate(100, 2))


def test_ches_approximation_is_near_an_lru_that_is_played():
    popularity, room, rng = caching.zipf(500, 0.9), 50, random.Random(11)
    kept, hits, counted = OrderedDict(), 0, 60_000
    for number, wanted in enumerate(rng.choices(range(500), popularity, k=counted + 5_000)):
        hits += number >= 5_000 and wanted in kept
        kept.pop(wanted, None)
        kept[wanted] = True
        if len(kept) > room:
            kept.popitem(last=False)
    assert caching.lru(popularity, room).hit_rate == pytest.approx(hits / counted, abs=0.01)


def test_an_lru_with_room_for_all_always_hits():
    assert caching.lru(caching.zipf(10), 10).hit_rate == 1


@steady
@given(st.integers(2, 200), st.floats(0, 1.5), st.data())
def test_more_room_never_hits_less(objects, exponent, data):
    popularity, room = caching.zipf(objects, exponent), data.draw(st.integers(1, objects - 1))
    small, large = (caching.lru(popularity, size).hit_rate for size in (room, room + 1))
    assert 0 <= small <= large + 1e-6 <= 1 + 2e-6


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: caching.mean_time_s(1.5, 0, 1), "hit_rate"),
        (lambda: caching.break_even(0.1, 0), "miss_s"),
        (lambda: caching.ttl_hit_rate(-1, 1), "rate"),
        (lambda: caching.zipf(0), "objects"),
        (lambda: caching.lru([0.5, 0.4], 1), "add up to 1"),
        (lambda: caching.lru([1.0], 0), "room"),
        (lambda: caching.ttl_hit_rate_of_all(1, [], 1), "add up to 1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
