"""Percentiles, intervals and the end of a warm-up, against answers that are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.lab import omission
from loadtests.lab.statistics import (
    batch_means_interval,
    bootstrap_interval,
    mean_interval,
    mser5,
    percentile,
    percentile_interval,
    samples_needed,
    shown,
)

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


def test_a_percentile_is_the_smallest_value_that_this_share_does_not_exceed():
    assert [percentile([15, 20, 35, 40, 50], share) for share in (0.05, 0.3, 0.4, 0.5, 1.0)] == [15, 20, 20, 35, 50]
    assert math.isnan(percentile([], 0.5))


@given(NUMBERS, st.floats(0.01, 1.0))
def test_a_percentile_was_measured_and_no_smaller_value_would_do(values, share):
    found = percentile(values, share)
    below, up_to = (sum(test(v, found) for v in values) for test in (float.__lt__, float.__le__))
    assert found in values
    assert up_to >= share * len(values) - 1e-6
    assert below < share * len(values) + 1e-6


def test_a_percentile_is_shown_from_so_many_samples_on_that_five_lie_beyond_it():
    assert [samples_needed(share) for share in (0.5, 0.95, 0.99, 0.999)] == [10, 100, 500, 5000]
    assert shown(range(499), 0.99) is None
    assert shown(range(500), 0.99) == 494


def test_the_interval_of_a_median_of_a_hundred_lies_between_ranks_40_and_61():
    found = percentile_interval(np.arange(1, 101), 0.5)
    assert (found.value, found.low, found.high, found.n) == (50, 40, 61, 100)


def test_a_percentile_with_too_few_samples_beyond_it_has_no_upper_bound():
    assert math.isnan(percentile_interval(np.arange(300), 0.99).high)
    assert percentile_interval(np.arange(500), 0.99).high == 499


def test_the_interval_of_a_mean_is_students():
    found = mean_interval([1, 2, 3, 4, 5])
    assert found.value == 3
    assert found.high - 3 == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert math.isnan(mean_interval([1]).low)


def test_neighbours_that_are_alike_say_less_than_independent_values():
    rng = np.random.default_rng(1)
    noise, alike = rng.normal(size=4000), np.zeros(4000)
    for i in range(1, 4000):
        alike[i] = 0.9 * alike[i - 1] + noise[i]
    naive, fair = mean_interval(alike), batch_means_interval(alike)
    assert fair.value == pytest.approx(naive.value)
    # An autoregression of 0.9 has a mean (1 + 0.9) / (1 - 0.9) times as uncertain as independent values, in variance.
    assert (fair.high - fair.low) / (naive.high - naive.low) == pytest.approx(math.sqrt(19), rel=0.4)


def test_a_bootstrap_with_the_same_seed_says_the_same_and_agrees_with_students():
    values = np.random.default_rng(2).normal(10, 2, 200)
    one, two = (bootstrap_interval(values, np.mean, seed=7) for _ in range(2))
    assert one == two
    assert one != bootstrap_interval(values, np.mean, seed=8)
    assert [one.low, one.high] == pytest.approx([mean_interval(values).low, mean_interval(values).high], abs=0.08)


@given(NUMBERS, st.integers(0, 1000))
def test_a_bootstrap_interval_of_a_median_stays_within_the_values(values, seed):
    found = bootstrap_interval(values, lambda array: float(np.median(array)), seed, resamples=50)
    assert len(values) < 2 or min(values) <= found.low <= found.high <= max(values)


def test_the_warm_up_ends_where_the_values_become_steady():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(20, 1, 60), rng.normal(10, 1, 340)])
    assert 60 <= mser5(values).cut <= 80
    assert mser5(values).steady


def test_two_last_values_that_happen_to_be_alike_are_not_taken_for_the_steady_part():
    values = np.concatenate([np.random.default_rng(3).normal(20, 5, 400), np.full(10, 20.0)])
    assert mser5(values).cut <= 100


def test_what_was_steady_from_the_start_loses_little():
    values = np.random.default_rng(4).exponential(1, 1000)
    assert mser5(values).cut <= 100


def test_a_run_that_never_becomes_steady_is_called_so():
    assert not mser5(np.arange(200.0) ** 2).steady
    assert not mser5([1.0] * 12).steady


def test_a_wait_before_the_sending_shows_in_one_clock_only():
    response = np.full(1000, 20.0)
    latency = response + np.where(np.arange(1000) < 30, 400.0, 0.0)
    found = omission.compare_clocks(latency, response)
    assert (found.latency_ms[0.99], found.response_ms[0.99], found.n) == (420, 20, 1000)
    assert found.differ
    assert not omission.compare_clocks(response + 0.5, response).differ
