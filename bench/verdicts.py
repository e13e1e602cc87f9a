"""What is asked of a load after a fault: was every request answered, how fast, and does every promise hold?"""

import time

from bench.customer import ENDS, Customer
from bench.load import Span
from bench.system import PATIENCE_S, System
from loadtests.samples import Samples


def fails(samples: Samples) -> str:
    """Why requests failed, with the moment of the first; empty when none did."""
    failed = samples.failed.all
    if not failed:
        return ""
    first = min(sample.scheduled for sample in failed) - min(sample.scheduled for sample in samples.all)
    return f"{len(failed)} of {len(samples)}, the first after {first:.1f} s: {dict(samples.reasons().most_common(8))}"


def describe(what: str, samples: Samples, *spans: tuple[str, Span]) -> str:
    """One line: how many, repeats, and latencies per span, in ms."""
    parts = [f"{what}: {len(samples)} requests, {len(samples.failed)} failed, {samples.repeats} repeated"]
    for name, span in spans:
        part = samples.between(*span)
        p50, p95, p99 = (1000 * part.percentile_s(share) for share in (0.5, 0.95, 0.99))
        parts.append(f"{name} {len(part)}: p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms")
    return "; ".join(parts)


def orders_of(samples: Samples) -> set[str]:
    """The ids of the orders that were answered with 202."""
    return {sample.location.rpartition("/")[2] for sample in samples.all if sample.ok and sample.location}


def all_orders(operator: Customer) -> dict[str, str]:
    """The state of every order in the shop, by its id."""
    found: dict[str, str] = {}
    params = {"scope": "all", "limit": 1000}
    while True:
        page = operator.get("/api/orders", params=params)
        found |= {order["id"]: order["state"] for order in page["items"]}
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


def until_all_ended(operator: Customer, ids: set[str], within_s: float = PATIENCE_S) -> dict[str, str]:
    """The states of these orders once each has ended. Raises AssertionError when one is missing or goes on."""
    deadline = time.monotonic() + within_s
    while True:
        states = all_orders(operator)
        going_on = {id: states.get(id, "is not known") for id in ids if states.get(id) not in ENDS}
        if not going_on:
            return {id: states[id] for id in ids}
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(going_on)} of {len(ids)} have not ended: {dict(list(going_on.items())[:5])}")
        time.sleep(0.2)


def nothing_is_lost(system: System, samples: Samples, within_s: float = PATIENCE_S) -> dict[str, str]:
    """Every order that was answered with 202 is there and ends, and the audit is clean; how they ended."""
    ends = until_all_ended(system.operator(), orders_of(samples), within_s)
    said = system.audit()
    if "0 findings" not in said:
        raise AssertionError(said)
    return ends
