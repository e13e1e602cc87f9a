import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import queues
from loadtests.model.chains import stationary
from loadtests.model.checks import Overloaded
from loadtests.tests.model.steady import steady

LOADS = st.floats(0.01, 0.99)  # utilisation
SERVERS = st.integers(1, 60)


def birth_death(arrivals, service_s, servers, states=4000):
    """M/M/c the long way: balance equations of a chain that is cut off where nobody comes any more."""
    down = [min(state, servers) / service_s for state in range(1, states + 1)]
    return stationary([arrivals] * states, down)


def test_mm1_of_kleinrock_by_hand():
    found = queues.mm1(arrivals=8, service_s=0.1)
    assert (found.utilization, found.response_s, found.wait_s) == pytest.approx((0.8, 0.5, 0.4))
    assert (found.inside, found.waiting, found.waits) == pytest.approx((4, 3.2, 0.8))


def test_two_erlang_on_three_servers_wait_in_four_of_nine_cases():
    # a^c/c! c/(c-a) / (sum a^k/k! + the same) = 4/(5 + 4), by hand.
    assert queues.erlang_c(2, 3) == pytest.approx(4 / 9)
    assert queues.erlang_b(2, 3) == pytest.approx((8 / 6) / (1 + 2 + 2 + 8 / 6))


@pytest.mark.parametrize(
    ("arrivals", "service_s", "servers"), [(3, 0.25, 1), (12, 0.2, 4), (90, 0.1, 10), (38, 0.2, 8)]
)
def test_mmc_is_what_its_birth_death_chain_says(arrivals, service_s, servers):
    shares = birth_death(arrivals, service_s, servers)
    found = queues.mmc(arrivals, service_s, servers)
    inside = sum(state * share for state, share in enumerate(shares))
    assert found.waits == pytest.approx(sum(shares[servers:]), rel=1e-9)
    assert found.inside == pytest.approx(inside, rel=1e-9)
    assert found.utilization == pytest.approx(arrivals * service_s / servers)
    assert found.response_s == pytest.approx(inside / arrivals, rel=1e-9)


def test_erlang_b_is_the_last_state_of_a_loss_system():
    shares = stationary([7.0] * 10, [float(state) for state in range(1, 11)])
    assert queues.erlang_b(7, 10) == pytest.approx(shares[-1], rel=1e-12)


def test_a_thousand_servers_are_no_trouble():
    assert 0 < queues.erlang_c(990, 1000) < 1
    assert queues.erlang_b(0.001, 5000) == pytest.approx(0)
    # Halfin and Whitt 1981: C tends to 1/(1 + b Phi(b)/phi(b)) with b = (1 - r) sqrt(c), here 1.
    limit = 1 / (1 + 0.8413447 / 0.2419707)
    assert queues.erlang_c(1e6 - 1e3, 10**6) == pytest.approx(limit, rel=0.01)


def test_constant_service_halves_the_wait_and_wild_service_multiplies_it():
    exponential = queues.mm1(5, 0.1).wait_s
    assert queues.mg1(5, 0.1, cv=0).wait_s == pytest.approx(exponential / 2)
    assert queues.mg1(5, 0.1, cv=1).wait_s == pytest.approx(exponential)
    assert queues.mg1(5, 0.1, cv=3).wait_s == pytest.approx(5 * exponential)


def test_pollaczek_khinchine_for_two_kinds_of_work_by_hand():
    # Half of the requests take 10 ms, half 90 ms: S = 50 ms, E[S^2] = 0.0041, cv^2 = 0.0041/0.0025 - 1 = 0.64.
    found = queues.mg1(arrivals=10, service_s=0.05, cv=0.8)
    assert found.wait_s == pytest.approx(10 * 0.0041 / (2 * (1 - 0.5)))


def test_the_approximations_are_exact_where_they_must_be():
    assert queues.mgc(30, 0.1, 4, cv=1) == queues.mmc(30, 0.1, 4)
    assert queues.ggc(30, 1, 0.1, 4, cv=0.5) == queues.mgc(30, 0.1, 4, cv=0.5)
    assert queues.mgc(9, 0.1, 1, cv=0.5) == queues.mg1(9, 0.1, cv=0.5)
    assert queues.ggc(30, 0, 0.1, 4, cv=0).wait_s == 0  # evenly spaced, equal work: nobody waits


def test_mgc_is_near_the_tables_of_md2():
    # M/D/2 at r = 0.8: W_q/W_q(M/M/2) = 0.508 by Crommelin's exact series; Lee and Longton say 0.5.
    ratio = queues.mgc(16, 0.1, 2, cv=0).wait_s / queues.mmc(16, 0.1, 2).wait_s
    assert ratio == pytest.approx(crommelin(16, 0.1, 2) / queues.mmc(16, 0.1, 2).wait_s, rel=0.03)


def crommelin(arrivals, service_s, servers, terms=400):
    """Exact mean wait of M/D/c (Crommelin 1932): S sum over i of P(N_i >= ic) - (c/a) P(N_i > ic), N_i Poisson(ia)."""
    load, total = arrivals * service_s, 0.0
    for i in range(1, terms):
        mean = i * load
        tail = [
            math.exp(-mean + j * math.log(mean) - math.lgamma(j + 1)) for j in range(i * servers, i * servers + 600)
        ]
        total += math.fsum(tail) - servers / load * math.fsum(tail[1:])
    return total * service_s


def test_processor_sharing_takes_as_long_as_mm1():
    assert queues.processor_sharing_s(8, 0.1) == pytest.approx(0.5)


@steady
@given(LOADS, SERVERS)
def test_erlang_c_is_a_share_above_erlang_b(utilization, servers):
    load = utilization * servers
    blocked, waits = queues.erlang_b(load, servers), queues.erlang_c(load, servers)
    assert 0 <= blocked <= waits <= 1


@steady
@given(st.floats(0.01, 0.98), st.floats(1e-4, 0.01), SERVERS)
def test_erlang_c_grows_with_the_load_and_falls_with_servers(utilization, more, servers):
    load = utilization * servers
    assert queues.erlang_c(load, servers) <= queues.erlang_c((utilization + more) * servers, servers)
    assert queues.erlang_c(load, servers + 1) <= queues.erlang_c(load, servers)


@steady
@given(LOADS, st.floats(0.001, 10), SERVERS)
def test_littles_law_holds(utilization, service_s, servers):
    arrivals = utilization * servers / service_s
    found = queues.mmc(arrivals, service_s, servers)
    assert found.inside == pytest.approx(found.waiting + utilization * servers)
    assert found.response_s == pytest.approx(found.wait_s + service_s)


@steady
@given(LOADS, SERVERS)
def test_one_fast_server_beats_many_slow_ones_and_they_beat_many_lines(utilization, servers):
    fast = queues.mm1(utilization * servers, 1 / servers).response_s
    pooled = queues.mmc(utilization * servers, 1, servers).response_s
    split = queues.mm1(utilization, 1).response_s
    assert fast <= pooled * (1 + 1e-9)
    assert pooled <= split * (1 + 1e-9)


@pytest.mark.parametrize(
    "call", [lambda: queues.mm1(10, 0.1), lambda: queues.mmc(50, 0.1, 4), lambda: queues.erlang_c(3, 3)]
)
def test_more_work_than_servers_is_overloaded(call):
    with pytest.raises(Overloaded, match="servers are needed"):
        call()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: queues.mm1(-1, 0.1), "arrivals"),
        (lambda: queues.mm1(1, 0), "service_s"),
        (lambda: queues.mmc(1, 0.1, 1.5), "servers"),
        (lambda: queues.mg1(1, 0.1, cv=-1), "cv"),
        (lambda: queues.erlang_b(math.inf, 1), "load"),
        (lambda: queues.erlang_c(0.5, 0), "servers"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
