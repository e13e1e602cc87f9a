import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import laws
from loadtests.model.convolution import convolution
from loadtests.model.networks import Centre, mva
from loadtests.tests.model.steady import steady

# Lazowska et al. 1984, the example of chapter 6: three centres, 15 s of thinking, three users.
LZGS = [Centre("cpu", 0.605), Centre("disk 1", 2.1), Centre("disk 2", 1.35)]
DEMANDS = st.lists(st.floats(0.001, 5), min_size=1, max_size=4)


def brute_force(centres, users, think_s):
    """Throughput, and who is where, from the product form itself: every way to spread the users, weighted."""
    places = [*centres, Centre("think", think_s, "delay")]

    def weight(at, count):
        servers = count if at.kind == "delay" else at.servers
        return math.prod(at.demand_s / min(j, servers) for j in range(1, count + 1))

    def spreads(n):
        for spread in product(range(n + 1), repeat=len(places)):
            if sum(spread) == n:
                yield spread, math.prod(weight(at, count) for at, count in zip(places, spread, strict=True))

    total = sum(heavy for _, heavy in spreads(users))
    inside = {
        at.name: sum(spread[k] * heavy for spread, heavy in spreads(users)) / total for k, at in enumerate(centres)
    }
    return sum(heavy for _, heavy in spreads(users - 1)) / total, inside


@pytest.mark.parametrize("solve", [mva, convolution])
def test_the_example_of_lazowska_and_others(solve):
    found = solve(LZGS, users=3, think_s=15)
    throughput, inside = brute_force(LZGS, 3, 15)
    assert found.throughput == pytest.approx(0.151, abs=1e-3)  # the book's table, whose steps are rounded
    assert found.throughput == pytest.approx(throughput)
    assert found.inside == pytest.approx(inside)
    assert found.utilization["disk 1"] == pytest.approx(found.throughput * 2.1)
    assert found.response_s == pytest.approx(3 / found.throughput - 15)


def test_two_users_of_a_cpu_and_a_disk_by_hand():
    # D = 0.5 and 1 s, Z = 1 s. One user: R = 1.5, X = 0.4, Q = 0.2 and 0.4. Two: R = 0.5 * 1.2 + 1 * 1.4 = 2, X = 2/3.
    found = mva([Centre("cpu", 0.5), Centre("disk", 1)], users=2, think_s=1)
    assert found.residence_s == pytest.approx({"cpu": 0.6, "disk": 1.4})
    assert found.throughput == pytest.approx(2 / 3)


def test_many_servers_are_exact_by_convolution_and_near_by_seidmann():
    centres = [Centre("threads", 0.2, servers=4), Centre("cpu", 0.03)]
    exact = convolution(centres, users=6, think_s=0.1)
    assert exact.throughput == pytest.approx(brute_force(centres, 6, 0.1)[0])
    assert exact.throughput == pytest.approx(mva(centres, 6, 0.1).throughput, rel=0.1)


def test_a_bank_that_takes_time_is_a_delay():
    centres = [Centre("payments", 0.004), Centre("bank", 0.2, "delay")]
    for solve in (mva, convolution):
        found = solve(centres, users=5)
        assert found.residence_s["bank"] == pytest.approx(0.2)
        assert found.throughput == pytest.approx(brute_force(centres, 5, 0)[0])


def test_hundreds_of_users_and_extreme_demands_stay_in_the_range_of_numbers():
    centres = [Centre("tiny", 1e-6), Centre("large", 50.0, servers=3), Centre("cpu", 3.0)]
    found = convolution(centres, users=700, think_s=1000)
    assert found.throughput == pytest.approx(3 / 50, rel=1e-6)
    assert sum(found.inside.values()) + 1000 * found.throughput == pytest.approx(700)
    crowd = convolution([Centre("cpu", 0.01)], users=4000, think_s=100)
    assert crowd.throughput == pytest.approx(mva([Centre("cpu", 0.01)], 4000, 100).throughput)


@steady
@given(DEMANDS, st.integers(1, 40), st.floats(0, 30))
def test_mva_lies_within_the_asymptotic_bounds(demands, users, think_s):
    found = mva([Centre(str(i), d) for i, d in enumerate(demands)], users, think_s)
    limits = laws.bounds({str(i): d for i, d in enumerate(demands)}, users, think_s)
    assert limits.throughput_low * (1 - 1e-9) <= found.throughput <= limits.throughput_high * (1 + 1e-9)
    assert limits.response_low_s * (1 - 1e-9) <= found.response_s <= limits.response_high_s * (1 + 1e-9)


@steady
@given(DEMANDS, st.integers(1, 60), st.floats(0, 30))
def test_mva_and_convolution_agree_where_both_are_exact(demands, users, think_s):
    centres = [Centre(str(i), d) for i, d in enumerate(demands)]
    one, other = mva(centres, users, think_s), convolution(centres, users, think_s)
    assert one.throughput == pytest.approx(other.throughput, rel=1e-6)
    assert one.residence_s == pytest.approx(other.residence_s, rel=1e-6)


@steady
@given(DEMANDS, st.integers(1, 40), st.integers(1, 6), st.floats(0, 30))
def test_everybody_is_somewhere(demands, users, servers, think_s):
    found = convolution([Centre(str(i), d, servers=servers) for i, d in enumerate(demands)], users, think_s)
    assert sum(found.inside.values()) + found.throughput * think_s == pytest.approx(users)
    assert all(busy <= 1 + 1e-9 for busy in found.utilization.values())


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mva([], 1), "a centre with a demand"),
        (lambda: mva([Centre("cpu", 0)], 1), "a centre with a demand"),
        (lambda: mva(LZGS, 0), "users"),
        (lambda: convolution(LZGS, 3, -1), "think_s"),
        (lambda: mva([Centre("cpu", 1), Centre("cpu", 2)], 1), "same name"),
        (lambda: Centre("cpu", -1), "demand_s"),
        (lambda: Centre("cpu", 1, servers=0), "servers"),
        (lambda: Centre("cpu", 1, "queues"), "a queue or a delay"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
