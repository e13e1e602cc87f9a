"""`souk scale` and `souk restart`: more, fewer or fresh replicas, with nothing lost."""

import time
from collections.abc import Callable
from typing import TypeVar

from deploy.local.client import Silent, System
from deploy.local.errors import Misused, Refused
from deploy.local.fleet import Fleet, log_file
from deploy.local.logs import tail
from deploy.local.starting import DEATHS_TOO_MANY
from deploy.local.status import collect
from deploy.runtime import Said

T = TypeVar("T")
POLL_S = 0.2
COMMAND_S = 30.0  # how long the supervisor may take for what cannot be asked twice


def parse_counts(fleet: Fleet, words: list[str]) -> dict[str, int]:
    """`["catalog=3"]` -> `{"catalog": 3}`; raises Misused, also for a service that is single."""
    counts = {}
    for word in words:
        name, _, count = word.partition("=")
        if not (count.isascii() and count.isdigit() and int(count) <= 64):
            raise Misused(f"{word!r} is not SERVICE=N, such as catalog=3 (N from 0 to 64)")
        if fleet.get(name).single:
            raise Misused(f"{name} is single: there is always exactly one of it")
        counts[name] = int(count)
    return counts


def scale(system: System, counts: dict[str, int], said: Said) -> None:
    """Bring each service to its count; returns when new replicas pass and superfluous ones are gone."""
    started, superfluous = [], []
    for service, count in counts.items():
        current = of_service(system, service)
        for _ in range(count - len(current)):
            started.append(begin(system, service))
        # The youngest go: their caches and connections are worth the least.
        superfluous += sorted(current, key=lambda r: r["number"])[count:]
    wait_passing(system, started, said)
    retire(system, [replica["name"] for replica in superfluous], said)


def restart(system: System, service: str, said: Said) -> None:
    """Replace every replica, one after the other: the new one has to pass before the old one leaves.

    One that is single is stopped first, since its port and its data are its own.
    """
    for old in sorted(of_service(system, service), key=lambda r: r["number"]):
        if system.fleet.get(service).single:
            retire(system, [old["name"]], said)
            wait_passing(system, [begin(system, service)], said)
        else:
            wait_passing(system, [begin(system, service)], said)
            retire(system, [old["name"]], said)


def of_service(system: System, service: str) -> list[dict]:
    """The replicas of a service that are to stay."""
    return [r for r in system.replicas() if r["service"] == service and not r["stopping"]]


def begin(system: System, service: str) -> str:
    """Start one more replica; returns its name."""
    return system.call("begin", timeout_s=COMMAND_S, service=service)["name"]


def wait_passing(system: System, names: list[str], said: Said) -> None:
    """Until the replicas pass. Raises Refused when one does not come up; those that did not are taken back."""
    deadline = time.monotonic() + system.settings.start_timeout_s
    waiting = set(names)
    while waiting:
        said(f"waiting for {', '.join(sorted(waiting))}")
        replicas = patiently(system.replicas, deadline)
        broken = {r["name"] for r in replicas if r["deaths"] >= DEATHS_TOO_MANY} & waiting
        if broken or time.monotonic() > deadline:
            late = sorted(broken or waiting)[0]
            log = log_file(system.home.path, late)
            retire(system, sorted(waiting), said)
            raise Refused(f"{late} does not start; the end of {log}:\n{tail(log)}")
        rows = patiently(lambda: collect(system, memory=False), deadline)
        ready = {row["name"] for row in rows if row["health"] == "passing"}
        waiting -= ready
        if waiting:
            time.sleep(POLL_S)


def patiently(look: Callable[[], T], deadline: float) -> T:
    """What `look` returns. A supervisor that is busy with starting others is asked again.

    Raises Silent when it has not answered by the deadline.
    """
    while True:
        try:
            return look()
        except Silent:  # which has taken a few seconds
            if time.monotonic() > deadline:
                raise


def retire(system: System, names: list[str], said: Said) -> None:
    """Stop replicas gracefully, all at once, and wait until their processes are gone."""
    for name in names:
        system.call("retire", timeout_s=COMMAND_S, name=name)
    left = set(names)
    # The supervisor kills what has not gone by then.
    deadline = time.monotonic() + system.settings.stop_timeout_s + 5
    while left := left & {replica["name"] for replica in patiently(system.replicas, deadline)}:
        said(f"stopping {', '.join(sorted(left))}")
        if time.monotonic() > deadline:
            raise Refused(f"{', '.join(sorted(left))} did not stop: see {system.home.logs / 'supervisor.log'}")
        time.sleep(POLL_S)
