"""`souk kill`: a fault, by a signal to a replica's whole process group."""

import signal
import time

from deploy.local.client import System
from deploy.local.errors import Misused, Refused
from deploy.local.processes import signal_group
from deploy.local.status import collect

SIGNALS = ("KILL", "STOP", "CONT")


def pick(system: System, service: str, instance: str | None) -> dict:
    """The row of the replica that is meant: by its id, its name or its pid; without one, the first that runs."""
    system.fleet.get(service)
    rows = [row for row in collect(system, memory=False) if row["service"] == service and row["pid"]]
    if instance is not None:
        rows = [row for row in rows if instance in (row["id"], row["name"], str(row["pid"]))]
    if not rows:
        which = f"instance {instance!r} of {service}" if instance else f"process of {service}"
        raise Refused(f"there is no {which}: `souk status` lists what runs")
    return rows[0]


def kill(system: System, service: str, instance: str | None, name: str | None, seconds: float | None) -> str:
    """Send the signal; with `seconds`, stop it, wait for so long, and let it go on. Returns what was done."""
    name = (name or ("KILL" if seconds is None else "STOP")).upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise Misused(f"--signal {name} is none of {', '.join(SIGNALS)}")
    if seconds is not None and (name != "STOP" or seconds <= 0):
        raise Misused("--for goes with STOP, and takes a number of seconds above 0")
    row = pick(system, service, instance)
    _send(row, name)
    if seconds is None:
        return f"{name} sent to {row['id']} (pid {row['pid']})"
    try:
        time.sleep(seconds)
    finally:
        # Also when we are interrupted: nobody else would wake it.
        replaced = all(replica["pid"] != row["pid"] for replica in system.replicas())
        if not replaced:
            _send(row, "CONT")
    if replaced:
        return f"{row['id']} was stopped and replaced before its {seconds:g} s were over (LIVENESS_S decides)"
    return f"{row['id']} (pid {row['pid']}) stood still for {seconds:g} s"


def _send(row: dict, name: str) -> None:
    if not signal_group(row["pid"], signal.Signals[f"SIG{name}"]):
        raise Refused(f"{row['id']} (pid {row['pid']}) is gone already")
