"""Replicas are killed, stopped, replaced and moved under load, and no request fails.

Three replicas of catalog and of orders serve reads, and orders with an Idempotency-Key.
"""

import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from bench.combined import Combined, combined
from bench.load import OpenLoad
from bench.system import System
from bench.verdicts import all_orders, describe, fails, nothing_is_lost
from chassis.testing_dimensions import PAIRWISE

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(400)]
RATE, MIX = 30, "page=6,look=2,order=2"
BEFORE_S, AT_LEAST_S, AFTER_S = 5.0, 12.0, 5.0
P99_S = 1.0
WRITES = ("order",)
# All of which the load asks for have three replicas; the others only take events.
MORTAL = ("accounts", "carts", "catalog", "inventory", "notifications", "orders", "payments")


def killed(system: System, service: str) -> None:
    """One replica is gone at once; the supervisor starts another."""
    system.souk("kill", service)


def hangs(system: System, service: str) -> None:
    """One replica stands still; where liveness is on, it is killed and replaced, else it wakes after 5 s."""
    system.souk("kill", service, "--signal", "STOP", "--for", "5")


def restarted(system: System, service: str) -> None:
    """New replicas for old, one after the other."""
    system.souk("restart", service)


def scaled(system: System, service: str) -> None:
    """More replicas, then fewer."""
    system.scale(**{service: 5})
    system.scale(**{service: 2})


def reloads(system: System, service: str) -> None:
    """nginx gets another configuration every second."""
    strategies = itertools.cycle(("least_conn", "round_robin"))
    for strategy in itertools.islice(strategies, 10):
        due = time.monotonic() + 1
        system.souk("set", f"gateway/balancing/{service}", strategy)
        time.sleep(max(0.0, due - time.monotonic()))


Fault = Callable[[System, str], None]
FAULTS: tuple[Fault, ...] = (killed, hangs, restarted, scaled, reloads)


def whole_again(system: Combined) -> None:
    """Three healthy replicas of each, before the next fault."""
    system.has(catalog=3, orders=3)


def judge(system: Combined, service: str, fault: Fault, seed: int, p99_of: Callable[[str], float | None]) -> None:
    """One fault under load. p99_of: the bound for a step in seconds, None where it is only reported."""
    whole_again(system)
    with OpenLoad(system, RATE, MIX, seed=seed) as load:
        before = load.span(BEFORE_S)
        during = load.during(lambda: fault(system, service), AT_LEAST_S)
        after = load.span(AFTER_S)
    for steps in (("page", "look"), WRITES):
        spans = ("before", before), ("during", during), ("after", after)
        print(describe(f"{service} {fault.__name__}, {'/'.join(steps)}", load.samples.of(*steps), *spans))
    print(f"the load itself: {load.about}")
    assert not fails(load.samples)
    nothing_is_lost(system, load.samples)
    for steps in (("page", "look"), WRITES):
        bound, found = p99_of(steps[0]), load.samples.of(*steps).between(*during).percentile_s(0.99)
        assert bound is None or found <= bound, f"p99 of {steps} is {found:.2f} s"


@pytest.mark.dimensions("database", "events", "registry")
def test_a_replica_of_each_service_dies_and_two_hang_and_no_request_fails(system: Combined) -> None:
    """The short form: what happens is all in one load, and how fast it was is not judged."""
    whole_again(system)
    before = all_orders(system.operator())
    with OpenLoad(system, 15, MIX) as load:
        for service in MORTAL:
            load.during(lambda service=service: killed(system, service), 0.5)
        whole_again(system)
        for service in ("catalog", "orders"):
            load.during(lambda service=service: hangs(system, service), 1)
        load.span(5)
    print(describe("each service", load.samples))
    assert not fails(load.samples)
    ends = nothing_is_lost(system, load.samples)
    # A key that was repeated because its answer was lost has made no second order.
    assert set(all_orders(system.operator())) - set(before) == set(ends)


def bounds(system: Combined, fault: Fault, judge_latency: bool) -> Callable[[str], float | None]:
    """A process that is stopped inside a write transaction holds SQLite's only write lock: then writes wait."""
    waits = fault is hangs and system.combination.database == "sqlite"
    return lambda step: None if not judge_latency or (step in WRITES and waits) else P99_S


@pytest.mark.slow
@pytest.mark.dimensions("database")
@pytest.mark.parametrize("service", ["catalog", "orders"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_request_fails(system: Combined, judge_latency: bool, service: str, fault: Fault) -> None:
    judge(system, service, fault, 1, bounds(system, fault, judge_latency))


@pytest.fixture(scope="module")
def unguarded() -> Iterator[Combined]:
    """A system without liveness checks, so that a replica that hangs is not replaced."""
    with combined(PAIRWISE[0], LIVENESS_S="0") as system:
        system.up()
        yield system


@pytest.mark.slow
@pytest.mark.parametrize("service", ["catalog", "orders"])
def test_no_request_fails_while_nobody_replaces_the_one_that_hangs(
    unguarded: Combined, judge_latency: bool, service: str
) -> None:
    judge(unguarded, service, hangs, 3, bounds(unguarded, hangs, judge_latency))
