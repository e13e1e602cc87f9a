import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import availability as av
from loadtests.tests.model.steady import steady

SHARES = st.floats(0, 1)


def test_a_server_that_fails_every_month_and_is_back_in_an_hour():
    month = 30 * 24.0
    assert av.availability(month, 1) == pytest.approx(720 / 721)
    assert av.availability(month, 0) == 1


def test_three_nines_are_nine_hours_a_year():
    assert av.nines(0.999) == pytest.approx(3)
    assert av.downtime_s(0.999) / 3600 == pytest.approx(8.766)
    assert av.downtime_s(0.99999) / 60 == pytest.approx(5.26, abs=0.01)
    assert av.downtime_s(0.99, span_s=1000) == pytest.approx(10)
    assert av.nines(1) == math.inf


def test_two_of_three_by_hand():
    assert av.k_of_n(2, 3, 0.9) == pytest.approx(3 * 0.81 * 0.1 + 0.729)


@steady
@given(SHARES, st.integers(1, 6), st.data())
def test_k_of_n_counts_the_states_in_which_enough_are_up(part, n, data):
    k = data.draw(st.integers(1, n))
    states = product([True, False], repeat=n)
    expected = sum(math.prod(part if up else 1 - part for up in state) for state in states if sum(state) >= k)
    assert av.k_of_n(k, n, part) == pytest.approx(expected)


@steady
@given(SHARES, st.integers(1, 8))
def test_series_and_parallel_are_the_two_ends_of_k_of_n(part, n):
    assert av.k_of_n(n, n, part) == pytest.approx(av.series(*[part] * n))
    assert av.k_of_n(1, n, part) == pytest.approx(av.parallel(*[part] * n))


@steady
@given(st.lists(SHARES, min_size=1, max_size=6))
def test_a_chain_is_weaker_and_a_bundle_stronger_than_each_part(parts):
    assert av.series(*parts) <= min(parts) + 1e-12
    assert av.parallel(*parts) >= max(parts) - 1e-12


@steady
@given(st.floats(10, 1e5), st.floats(0.1, 5), st.integers(1, 7), st.data())
def test_with_a_crew_for_each_part_the_chain_is_the_binomial(failure_s, repair_s, n, data):
    k = data.draw(st.integers(1, n))
    found = av.k_of_n_with_repair(k, n, failure_s, repair_s)
    assert found.availability == pytest.approx(av.k_of_n(k, n, av.availability(failure_s, repair_s)), abs=1e-12)


def test_one_of_two_with_one_crew_is_the_known_formula():
    # l = 1/F, m = 1/M. Mean time to failure of a repaired pair: (3 l + m)/(2 l^2). Availability: with states 2, 1, 0 up
    # in the proportion m^2 : 2 l m : 2 l^2.
    failure_s, repair_s = 100.0, 2.0
    rate, mended = 1 / failure_s, 1 / repair_s
    found = av.k_of_n_with_repair(1, 2, failure_s, repair_s, crews=1)
    weights = np.array([mended**2, 2 * rate * mended, 2 * rate**2])
    assert found.availability == pytest.approx(1 - weights[2] / weights.sum())
    assert found.first_failure_s == pytest.approx((3 * rate + mended) / (2 * rate**2))
    assert found.outage_s == pytest.approx(repair_s)


def test_one_part_alone_is_its_own_availability():
    found = av.k_of_n_with_repair(1, 1, 500, 20)
    assert found.availability == pytest.approx(av.availability(500, 20))
    assert (found.first_failure_s, found.outage_s) == pytest.approx((500, 20))
    assert found.failures_per_s == pytest.approx(1 / 520)


@steady
@given(st.floats(10, 1e4), st.floats(0.1, 10), st.integers(2, 6), st.data())
def test_fewer_crews_never_help_and_spares_never_hurt(failure_s, repair_s, n, data):
    k = data.draw(st.integers(1, n))
    few, many = (av.k_of_n_with_repair(k, n, failure_s, repair_s, crews=crews) for crews in (1, n))
    assert few.availability <= many.availability + 1e-12
    more = av.k_of_n_with_repair(k, n + 1, failure_s, repair_s)
    assert more.availability >= many.availability - 1e-12
    assert more.first_failure_s > many.first_failure_s


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: av.availability(0, 1), "failure_s"),
        (lambda: av.series(), "number_of_parts"),
        (lambda: av.parallel(0.9, 1.1), "part 2"),
        (lambda: av.k_of_n(4, 3, 0.9), "most_k"),
        (lambda: av.k_of_n(0, 3, 0.9), "k must"),
        (lambda: av.k_of_n_with_repair(3, 2, 10, 1), "most_k"),
        (lambda: av.k_of_n_with_repair(1, 2, 10, 0), "repair_s"),
        (lambda: av.k_of_n_with_repair(1, 2, 10, 1, crews=0), "crews"),
        (lambda: av.nines(2), "part"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
