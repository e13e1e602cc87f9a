"""More, fewer or fresh containers of a service, by compose itself, so that its own picture stays right."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deploy.compose import logs, status
from deploy.compose.project import compose
from deploy.local.errors import Refused
from deploy.runtime import Said

if TYPE_CHECKING:
    from deploy.compose.runtime import Containers

POLL_S = 0.2
START_S = 60.0
USUAL_STOP_S = 10


def scale(system: "Containers", counts: Mapping[str, int], said: Said) -> None:
    """Bring each service to its count; returns when new replicas pass and superfluous ones are gone."""
    said("scaling " + ", ".join(f"{service} to {count}" for service, count in counts.items()))
    _bring_to(system, counts, said)


def _bring_to(system: "Containers", counts: Mapping[str, int], said: Said) -> None:
    """Have compose do it. New ones that do not come up are taken back."""
    before = {one["Id"] for service in counts for one in system.containers(service)}
    # --no-deps: what has run once and ended is not run again. --no-recreate: nobody but these is touched.
    options = ("--detach", "--no-deps", "--no-recreate", "--no-build", "--quiet-pull")
    scales = [word for service, count in counts.items() for word in ("--scale", f"{service}={count}")]
    compose("up", *options, *scales, *counts)
    fresh = {one["Id"] for service in counts for one in system.containers(service)} - before
    try:
        wait_passing(system, fresh, said)
    except Refused:
        for container in fresh:
            system.engine.do("remove_container", container, force=True)
        raise


def restart(system: "Containers", service: str, said: Said) -> None:
    """A new container has to pass before an old one leaves, one after the other.

    One that is single is stopped first, since its port and its data are its own.
    """
    old = [one for one in system.containers(service) if one["State"]["Running"]]
    for one in old:
        name = status.name_of(one)
        if system.fleet.get(service).single:
            said(f"restarting {name}")
            system.engine.do("restart", one["Id"], timeout=one["Config"].get("StopTimeout") or USUAL_STOP_S)
            wait_passing(system, {one["Id"]}, said)
            continue
        said(f"starting one for {name}")
        _bring_to(system, {service: len(system.containers(service)) + 1}, said)
        said(f"stopping {name}")
        # It drains, and has for that as long as the file says.
        system.engine.do("stop", one["Id"])
        system.engine.do("remove_container", one["Id"])


def wait_passing(system: "Containers", containers: set[str], said: Said) -> None:
    """Until these pass. Raises Refused with the last words of one that does not come up."""
    deadline = time.monotonic() + START_S
    while True:
        waiting = [row for row in system.rows(memory=False) if row["container"] in containers]
        waiting = [row for row in waiting if row["health"] != "passing"]
        if not waiting:
            return
        said("waiting for " + ", ".join(row["name"] for row in waiting))
        if time.monotonic() > deadline:
            late = waiting[0]
            last = logs.tail(system.engine, late["container"])
            raise Refused(f"{late['name']} does not start within {START_S:.0f} s; its last words:\n{last}")
        time.sleep(POLL_S)
