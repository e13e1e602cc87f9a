import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import percentiles, queues
from loadtests.model.checks import Overloaded
from loadtests.tests.model.steady import steady

CASES = [(8, 0.1, 1), (12, 0.2, 4), (38, 0.2, 8)]


def test_mm1_percentiles_are_those_of_an_exponential():
    # m - l = 2: ninety percent are out after ln(10)/2.
    assert percentiles.response_percentile_s(0.9, 8, 0.1, 1) == pytest.approx(math.log(10) / 2)
    assert percentiles.wait_percentile_s(0.9, 8, 0.1, 1) == pytest.approx(math.log(8) / 2)
    assert percentiles.longer_response(0.5, 8, 0.1, 1) == pytest.approx(math.exp(-1))


def test_who_need_not_wait_waits_for_nothing():
    assert percentiles.wait_percentile_s(0.1, 8, 0.1, 1) == 0
    assert percentiles.wait_percentile_s(0.9, 0, 0.1, 1) == 0


@pytest.mark.parametrize(("arrivals", "service_s", "servers"), CASES)
def test_the_area_below_the_tail_is_the_mean(arrivals, service_s, servers):
    found = queues.mmc(arrivals, service_s, servers)
    assert area(percentiles.longer_response, arrivals, service_s, servers) == pytest.approx(found.response_s, rel=1e-4)
    assert area(percentiles.longer_wait, arrivals, service_s, servers) == pytest.approx(found.wait_s, rel=1e-4)


def area(tail, arrivals, service_s, servers, steps=20_000):
    end = 60 * queues.mmc(arrivals, service_s, servers).response_s
    step = end / steps
    values = [tail(i * step, arrivals, service_s, servers) for i in range(steps + 1)]
    return step * (math.fsum(values) - (values[0] + values[-1]) / 2)


def test_the_special_case_of_the_formula_joins_its_neighbours():
    # c - 1 - a = 0: two servers and one erlang.
    near = [percentiles.longer_response(0.7, arrivals, 1, 2) for arrivals in (1 - 1e-7, 1, 1 + 1e-7)]
    assert near[0] == pytest.approx(near[1], rel=1e-6)
    assert near[2] == pytest.approx(near[1], rel=1e-6)
    assert near[1] == pytest.approx(math.exp(-0.7) * (1 + queues.erlang_c(1, 2) * 0.7))


def test_nearly_full_servers_have_a_long_tail_and_no_overflow():
    assert percentiles.response_percentile_s(0.999, 0.9999, 1, 1) == pytest.approx(math.log(1000) / 1e-4, rel=1e-6)


@steady
@given(st.floats(0.01, 0.99), st.integers(1, 30), st.floats(0.01, 0.998))
def test_percentiles_grow_with_the_share_and_contain_it(utilization, servers, share):
    arrivals = utilization * servers
    at = percentiles.response_percentile_s(share, arrivals, 1, servers)
    assert percentiles.longer_response(at, arrivals, 1, servers) == pytest.approx(1 - share, rel=1e-6)
    assert at <= percentiles.response_percentile_s(share + 0.001, arrivals, 1, servers)
    assert percentiles.wait_percentile_s(share, arrivals, 1, servers) <= at


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="share"):
        percentiles.response_percentile_s(1, 8, 0.1, 1)
    with pytest.raises(ValueError, match="t_s"):
        percentiles.longer_wait(-1, 8, 0.1, 1)
    with pytest.raises(Overloaded):
        percentiles.response_percentile_s(0.9, 10, 0.1, 1)
