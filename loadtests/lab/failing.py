"""What the failure experiments share: faults at an exact moment, and what each arm's fault cost.

`souk kill` takes most of a second to start; where detection is measured, the signal is sent from here.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loadtests.lab.errors import LoadBroke
from loadtests.lab.plots import Trace, failure_timeline
from loadtests.lab.recovery import Fault, judge_fault
from loadtests.lab.verdict import Check, Prediction
from loadtests.lab.watching import all_listed, until
from loadtests.neighbours import ISSUER

if TYPE_CHECKING:
    from loadtests.lab.laboratory import Arm, Lab
    from loadtests.lab.measured import Measured
    from loadtests.lab.system import System

WHOLE_WITHIN_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """One arm with its fault."""

    measured: "Measured"
    fault: Fault
    trace: Trace


def outcome(lab: "Lab", arm: "Arm", what: str, *, victim: str | None = None, step: str | None = None) -> Outcome:
    """Judge the fault of the arm that has just ended, and note it for the report.

    victim: an instance that goes on answering, so that its last request tells when it was left out. step: what it is
    judged by; None: by all requests.
    """
    measured = lab.measured[-1]
    begin_s, end_s = arm.first("fault_begin"), arm.first("fault_end")
    if begin_s is None or end_s is None:
        raise LoadBroke(f"nothing was broken in {arm.name!r}")
    events = [{"kind": kind, "t_s": t} for t, kind, _ in arm.events]
    span_s, samples = (measured.warm_up_s, measured.end_s), measured.requests.of(step=step)
    fault = judge_fault(samples, events, what, span_s, begin_s, end_s, victim)
    lab.faults.append(fault.as_dict())
    if fault.recovery_s is not None:
        arm.event("recovered", f"by {step or 'all requests'}", begin_s + fault.recovery_s)
    return Outcome(measured, fault, Trace.of(samples, fault, span_s))


def draw(lab: "Lab", outcomes: Mapping[str, Outcome], service: str, title: str, caption: str = "") -> None:
    """The failure over time, of one arm or of two that are compared."""
    traces = {name: found.trace for name, found in outcomes.items()}
    lab.plot(failure_timeline(traces, lab.folder.path, "timeline", title, service, caption))


def at_most(lab: "Lab", made: Prediction, measured: float | None) -> None:
    """What was predicted is a bound, such as a time that 99 of 100 runs keep."""
    found = math.nan if measured is None else measured
    check = Check.of_bounds(made.name, found, None, made.value, made.unit, "")
    lab.checks.append(replace(check, predicted=made.value))


def none_fails(lab: "Lab", found: Outcome) -> None:
    """What redundancy promises: customers do not notice."""
    lab.require(f"failed requests, {found.fault.arm}", float(found.fault.failed), at_most=0, unit="requests")


def arrivals_s(attempts: int, replicas: int, rate: float, sure: float = 0.99) -> float:
    """When so many requests have come to one of the replicas, in so many of all cases (s).

    They come to the service as a Poisson stream, and to each replica by turns; so the k-th at one of n is the k n-th
    of all, whose time is Erlang distributed. Source: Kleinrock, Queueing Systems I, 1975, section 2.4.
    """
    from scipy.stats import gamma

    return float(gamma.ppf(sure, attempts * replicas, scale=1 / rate))


def replicas(lab: "Lab", **counts: int) -> float:
    """Scale, and wait until the registry lists all of them as healthy; the seconds that it took."""
    system = lab.system  # which may have to be started first
    lab.say("scaling " + ", ".join(f"{service} to {count}" for service, count in counts.items()))
    began = time.monotonic()
    system.scale(**counts)
    for service, count in counts.items():
        until(all_listed(system, service, count), WHOLE_WITHIN_S)
    return time.monotonic() - began


def pick(system: "System", service: str) -> dict[str, Any]:
    """The replica that a fault is for: the row of `souk status` with the lowest number. Raises LoadBroke."""
    rows = [row for row in system.instances(service) if row["pid"] and row["health"] == "passing"]
    if not rows:
        raise LoadBroke(f"no instance of {service} is healthy")
    return min(rows, key=lambda row: row["id"])


def kill_now(system: "System", row: Mapping[str, Any]) -> None:
    """SIGKILL to all that a row of `souk status` stands for."""
    system.place.kill(row)


@contextmanager
def slowed(system: "System", row: Mapping[str, Any], ms: int) -> Iterator[None]:
    """Each request to this instance takes so much longer, from now to the end of the block, as `souk fault` does it."""
    from chassis.service_tokens import ServiceTokens

    url = f"http://{row['address']}:{row['port']}/internal/faults"
    signed = {"Authorization": f"Bearer {ServiceTokens(ISSUER, system.keys).sign(row['service'])}"}
    try:
        if not system.place.ask("PUT", url, json={"name": "delay", "ms": ms}, headers=signed).ok:
            raise LoadBroke(f"{row['id']} cannot be slowed")
        yield
    finally:
        with suppress(OSError):  # it may be gone, and its fault with it
            system.place.ask("DELETE", url, headers=signed)


def standing_still(system: "System", row: Mapping[str, Any]) -> AbstractContextManager[None]:
    """It gets no time in the block, as by SIGSTOP; the kernel goes on accepting connections for it."""
    return system.place.standing_still(row)
