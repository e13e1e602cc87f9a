"""Three replicas share the work: under round robin none gets more than 40 % of it."""

from collections import Counter

import pytest

from bench import spread
from bench.system import eventually
from chassis.calls import Calls
from chassis.discovery import make_discovery

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
REQUESTS = 3000


@pytest.fixture
def uncached(replicas):
    """Every request reaches a replica; afterwards the cache is on again."""
    visitor = replicas.visitor()

    replicas.souk("set", "gateway/balancing/catalog", "round_robin")
    spread.without_cache(replicas)
    known = set(replicas.registered("catalog"))
    assert len(known) == 3
    eventually(lambda: set(spread.through_the_gateway(replicas.gateway_port, 60)) == known)
    yield replicas
    replicas.souk("set", "gateway/cache", "on")
    eventually(lambda: visitor.must("GET", spread.PATH).headers.get("X-Cache"))


def times_left_out(system) -> int:
    """How often the gateway has left an instance out for a while."""
    return sum(line["event"].startswith("an instance is left out") for line in system.logs("gateway"))


def through_a_gateway_that_leaves_nobody_out(system) -> Counter[str]:
    """Where the machine is full, a replica may be slow for a moment; what is sent meanwhile says nothing of spread."""
    known = set(system.registered("catalog"))
    for _ in range(5):
        before = times_left_out(system)
        counts = spread.through_the_gateway(system.gateway_port, REQUESTS)
        if times_left_out(system) == before:
            return counts
        eventually(lambda: set(spread.through_the_gateway(system.gateway_port, 60)) == known)
    raise AssertionError("in each of five tries an instance was left out")


def check(counts: Counter[str], system) -> None:
    assert counts.total() == REQUESTS
    assert set(counts) == set(system.registered("catalog"))
    assert spread.largest_share(counts) <= 0.4, counts


def test_the_gateway_spreads_evenly(uncached) -> None:
    check(through_a_gateway_that_leaves_nobody_out(uncached), uncached)


def test_a_caller_spreads_evenly(replicas) -> None:
    discovery = make_discovery(f"consul://127.0.0.1:{replicas.registry_port}")
    calls = Calls("test", discovery, balancing={"catalog": "round_robin"})
    try:
        check(spread.by_the_caller(calls, "catalog", REQUESTS), replicas)
    finally:
        calls.stop()
