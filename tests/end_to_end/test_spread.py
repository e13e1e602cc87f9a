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


def check(counts: Counter[str], system) -> None:
    assert counts.total() == REQUESTS
    assert set(counts) == set(system.registered("catalog"))
    assert spread.largest_share(counts) <= 0.4, counts


def test_the_gateway_spreads_evenly(uncached) -> None:
    check(spread.through_the_gateway(uncached.gateway_port, REQUESTS), uncached)


def test_a_caller_spreads_evenly(replicas) -> None:
    discovery = make_discovery(f"consul://127.0.0.1:{replicas.registry_port}")
    calls = Calls("test", discovery, balancing={"catalog": "round_robin"})
    try:
        check(spread.by_the_caller(calls, "catalog", REQUESTS), replicas)
    finally:
        calls.stop()
