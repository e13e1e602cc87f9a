"""Three replicas share the work: under round robin none gets more than 40 % of it."""

from collections import Counter

import pytest

from bench import spreading
from bench.system import eventually
from chassis.calls import Calls
from chassis.discovery import make_discovery

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]
REQUESTS = 3000


@pytest.fixture
def uncached(replicas):
    """Every request reaches a replica; afterwards the cache is on again."""
    visitor = replicas.visitor()

    def cache() -> str | None:
        return visitor.must("GET", spreading.PATH).headers.get("X-Cache")

    replicas.souk("set", "gateway/cache", "off")
    replicas.souk("set", "gateway/balancing/catalog", "round_robin")
    eventually(lambda: cache() is None)
    settled(replicas)
    yield replicas
    replicas.souk("set", "gateway/cache", "on")
    eventually(lambda: cache() is not None)


def settled(system) -> None:
    """Until the gateway spreads over all three, and its workers from before the setting are gone."""
    known = set(system.registered("catalog"))
    assert len(known) == 3

    def even() -> bool:
        try:
            return set(spreading.through_the_gateway(system.gateway_port, 60)) == known
        except AssertionError:
            return False

    eventually(even)


def check(counts: Counter[str], system) -> None:
    assert counts.total() == REQUESTS
    assert set(counts) == set(system.registered("catalog"))
    assert spreading.largest_share(counts) <= 0.4, counts


def test_the_gateway_spreads_evenly(uncached) -> None:
    check(spreading.through_the_gateway(uncached.gateway_port, REQUESTS), uncached)


def test_a_caller_spreads_evenly(replicas) -> None:
    discovery = make_discovery(f"consul://127.0.0.1:{replicas.registry_port}")
    calls = Calls("test", discovery, balancing={"catalog": "round_robin"})
    try:
        check(spreading.by_the_caller(calls, "catalog", REQUESTS), replicas)
    finally:
        calls.stop()
