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
    """Send the signal; with `seconds`, the replica is gone (KILL) or stands still (STOP) for so long, and we wait.

    Returns what was done.
    """
    name = (name or ("KILL" if seconds is None else "STOP")).upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise Misused(f"--signal {name} is none of {', '.join(SIGNALS)}")
    if seconds is not None and (name == "CONT" or seconds <= 0):
        raise Misused("--for goes with KILL or STOP, and takes a number of seconds above 0")
    row = pick(system, service, instance)
    if seconds is None:
        _send(row, name)
        return f"{name} sent to {row['id']} (pid {row['pid']})"
    return _away(system, row, seconds) if name == "KILL" else _still(system, row, seconds)


def _away(system: System, row: dict, seconds: float) -> str:
    """Dead, and not replaced, for so long."""
    system.call("hold", name=row["name"], seconds=seconds)
    try:
        _send(row, "KILL")
        time.sleep(seconds)
    except BaseException:
        system.call("hold", name=row["name"], seconds=0)
        raise
    return f"{row['id']} (pid {row['pid']}) was killed, and away for {seconds:g} s"


def _still(system: System, row: dict, seconds: float) -> str:
    """Stopped for so long, unless it is replaced before."""
    _send(row, "STOP")
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
