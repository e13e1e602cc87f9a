"""The registry is killed and stays away: nobody notices, and when it is back everybody is listed again at once."""

import time

import pytest

from bench.combined import Combined
from bench.load import OpenLoad
from bench.system import eventually
from bench.verdicts import describe, fails, nothing_is_lost

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.dimensions("registry")]
MIX = "page=6,look=2,order=2"
LISTED_WITHIN_S = 3.0


def running(system: Combined) -> dict[tuple[str, str], int]:
    """(service, instance id) -> pid of all that registers."""
    rows = [row for row in system.instances() if row["service"] not in ("registry", "gateway")]
    return {(row["service"], row["id"]): row["pid"] for row in rows}


def listed(system: Combined, services: set[str]) -> set[tuple[str, str]]:
    return {(service, id) for service in services for id in system.registered(service)}


@pytest.mark.parametrize("away_s", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_nobody_needs_the_registry_for_what_is_known(system: Combined, judge_latency: bool, away_s: int) -> None:
    before = running(system)
    services = {service for service, _ in before}
    eventually(lambda: listed(system, services) == set(before))
    with OpenLoad(system, 20, MIX) as load:
        system.away("registry", away_s)
        returned = time.monotonic()
        eventually(lambda: listed(system, services) == set(before), lambda: set(before) - listed(system, services))
        took_s = time.monotonic() - returned
        load.span(3)
    print(describe(f"away for {away_s} s", load.samples), f"; all listed again after {took_s:.1f} s")
    assert running(system) == before, "somebody was restarted"
    assert not fails(load.samples)
    nothing_is_lost(system, load.samples)
    if judge_latency:
        assert took_s <= LISTED_WITHIN_S
