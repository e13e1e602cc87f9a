"""`souk kill`: a fault, by a signal to everything that is one replica."""

from deploy.local.errors import Misused, Refused
from deploy.runtime import Runtime, Said

SIGNALS = ("KILL", "STOP", "CONT")


def pick(system: Runtime, service: str, instance: str | None) -> dict:
    """The row of the replica that is meant: by its id, its name or its pid; without one, the first that runs."""
    system.fleet.get(service)
    rows = [row for row in system.rows(memory=False) if row["service"] == service and row["pid"]]
    if instance is not None:
        rows = [row for row in rows if instance in (row["id"], row["name"], str(row["pid"]))]
    if not rows:
        which = f"instance {instance!r} of {service}" if instance else f"process of {service}"
        raise Refused(f"there is no {which}: `souk status` lists what runs")
    return rows[0]


def kill(system: Runtime, service: str, instance: str | None, name: str | None, seconds: float | None) -> str:
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
        return system.signal(row, name)
    return system.away(row, seconds) if name == "KILL" else system.still(row, seconds)


def partition(system: Runtime, service: str, other: str, seconds: float, said: Said) -> str:
    """Cut the network between all replicas of a service and another one for so long; returns what was done."""
    if service == other:
        raise Misused(f"--from {other}: it is cut from another service, such as `souk partition orders --from broker`")
    if seconds <= 0:
        raise Misused("--for takes a number of seconds above 0")
    return system.partition(service, other, seconds, said)
