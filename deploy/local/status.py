"""Every process with what the supervisor, the registry and the operating system know of it."""

import time

from deploy.local.client import System
from deploy.local.health import Registered, answers, registered
from deploy.local.processes import groups, memory_bytes


def collect(system: System, memory: bool = True) -> list[dict]:
    """One row per process, in the shape of `souk status --json`. Empty when the system does not run (yet)."""
    if not system.controllable:
        return []
    replicas = system.replicas()
    known = registered(system.settings.registry_url)
    rows = [_row(system, replica, known) for replica in replicas]
    if memory:
        members = groups(row["pid"] for row in rows if row["pid"])
        for row in rows:
            row["pss_bytes"] = memory_bytes(members.get(row["pid"], []))
    order = list(system.fleet.services)
    return sorted(rows, key=lambda row: (order.index(row["service"]), row["name"]))


def _row(system: System, replica: dict, known: list[Registered] | None) -> dict:
    service, port = replica["service"], replica["port"]
    own = next((r for r in known or [] if r.service == service and r.port == port), None)
    started = replica["started"]
    return {
        "service": service,
        "name": replica["name"],
        "id": own.id if own else f"{service}-127.0.0.1-{port}" if port else replica["name"],
        "pid": replica["pid"],
        "address": own.address if own else "127.0.0.1",
        "port": port,
        "health": _health(system, replica, own, known is None),
        "uptime_s": round(time.time() - started, 1) if started else 0.0,
        "pss_bytes": 0,
    }


def _health(system: System, replica: dict, own: Registered | None, registry_away: bool) -> str:
    if replica["pid"] is None or replica["stopping"]:
        return "stopped"
    young = time.time() - replica["started"] < system.settings.start_timeout_s
    not_yet = "starting" if young else "critical"
    if replica["port"] is None:
        return not_yet
    if replica["service"] in ("registry", "gateway"):
        return "passing" if _serves(system, replica["service"]) else not_yet
    if own is not None:
        return own.health
    if registry_away:
        # It runs, but nobody can vouch for it.
        return "warning"
    return not_yet


def _serves(system: System, single: str) -> bool:
    if single == "gateway":
        # Whatever it answers: this path is refused on purpose, by nginx itself.
        return answers(f"{system.settings.gateway_url}/healthz") is not None
    return answers(f"{system.settings.registry_url}/v1/status/leader") == 200
