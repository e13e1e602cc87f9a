import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import retries
from loadtests.tests.model.steady import steady

SHARES, TRIES = st.floats(0, 1), st.integers(1, 5)


def test_three_layers_of_four_tries_are_64_at_a_dead_database():
    # Site Reliability Engineering, chapter 22: three layers that each retry three times make 4^3 attempts.
    assert retries.amplification(failure=1, tries=4, layers=3) == 64


def test_a_tenth_that_fails_costs_a_tenth_more_and_a_bit():
    assert retries.attempts(0.1, 3) == pytest.approx(1.11)
    assert retries.still_failing(0.1, 3) == pytest.approx(0.001)


def test_a_budget_of_a_tenth_holds_the_storm():
    assert retries.attempts(1, 4, budget=0.1) == pytest.approx(1.1)
    assert retries.amplification(1, 4, layers=3, budget=0.1) == pytest.approx(1.331)
    assert retries.attempts(0.05, 2, budget=0.1) == pytest.approx(1.05)


def test_tries_that_are_drawn_come_to_the_formula():
    rng, failure, tries, layers, requests = random.Random(7), 0.6, 2, 3, 40_000

    def call(layer):
        if layer == 0:
            made[0] += 1
            return rng.random() >= failure
        return any(call(layer - 1) for _ in range(tries))

    made = [0]
    for _ in range(requests):
        call(layers)
    assert made[0] / requests == pytest.approx(retries.amplification(failure, tries, layers), rel=0.01)


@steady
@given(SHARES, TRIES, st.integers(1, 4))
def test_layers_are_one_layer_with_the_product_of_their_tries(failure, tries, layers):
    assert retries.amplification(failure, tries, layers) == pytest.approx(
        retries.attempts(failure, tries**layers), rel=1e-6
    )


@steady
@given(SHARES, TRIES, st.integers(1, 4), st.floats(0, 2))
def test_a_budget_bounds_and_never_adds(failure, tries, layers, budget):
    bounded = retries.amplification(failure, tries, layers, budget)
    assert 1 <= bounded <= min((1 + budget) ** layers, tries**layers) * (1 + 1e-9)


def test_refused_load_is_asked_again_until_the_tries_are_used_up():
    # 150 a second and room for 100: p = 1 - 100/x and, with two tries, x = 150 (1 + p), so x^2 = 300 x - 15000.
    found = retries.effective_load(150, retries.failures_beyond(100), tries=2)
    assert found.calm == pytest.approx(150 + math.sqrt(150**2 - 15_000), rel=1e-6)
    assert not found.metastable


def test_a_load_that_is_carried_is_not_amplified():
    found = retries.effective_load(80, retries.failures_beyond(100), tries=3)
    assert found.calm == 80


def test_time_outs_make_a_storm_that_stays_and_a_budget_ends_it():
    failures = retries.failures_by_timeout(capacity=100, timeout_s=1)
    without = retries.effective_load(50, failures, tries=3)
    assert without.metastable
    assert without.calm == pytest.approx(50)
    assert without.storm == pytest.approx(150)
    assert not retries.effective_load(50, failures, tries=3, budget=0.1).metastable


def test_who_waits_longer_gives_up_less_often():
    failures = retries.failures_by_timeout(capacity=100, timeout_s=0.1)
    assert failures(80) == pytest.approx(math.exp(-2))
    assert failures(100) == failures(130) == 1


@steady
@given(st.floats(1, 200), TRIES, st.one_of(st.none(), st.floats(0, 1)))
def test_the_effective_load_is_a_fixed_point_between_the_offered_and_the_worst(offered, tries, budget):
    failures = retries.failures_by_timeout(100, 0.5)
    found = retries.effective_load(offered, failures, tries, budget)
    assert offered * (1 - 1e-9) <= found.calm <= found.storm * (1 + 1e-9)
    assert found.storm <= offered * retries.attempts(1, tries, budget) * (1 + 1e-9)
    for load in (found.calm, found.storm):
        assert offered * retries.attempts(failures(load), tries, budget) == pytest.approx(load, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: retries.attempts(1.1, 2), "failure"),
        (lambda: retries.attempts(0.5, 0), "tries"),
        (lambda: retries.attempts(0.5, 2, budget=-1), "budget"),
        (lambda: retries.amplification(0.5, 2, 0), "layers"),
        (lambda: retries.effective_load(0, lambda load: 0, 2), "offered"),
        (lambda: retries.effective_load(1, lambda load: 2, 2), "failure"),
        (lambda: retries.failures_beyond(0), "capacity"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
