"""Every container of the project with what the engine and the registry know of it, in the rows of `souk status`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from deploy.compose.engine import NUMBER, SERVICE, Engine
from deploy.local.health import Registered

ASK_AT_ONCE = 32  # an engine takes a second to answer each
YOUNG_S = 60
OWN_CHECK = {"healthy": "passing", "starting": "starting", "unhealthy": "critical"}
Inspected = dict[str, Any]


def row(container: Inspected, known: list[Registered] | None, registers: bool) -> dict:
    """One container's row, without its memory. known: None when the registry cannot be asked.

    registers: whether the registry should know it.
    """
    service, addresses = service_of(container), addresses_of(container)
    own = next((one for one in known or [] if one.service == service and one.address in addresses), None)
    state = container["State"]
    runs = bool(state["Running"]) and not state["Restarting"]
    return {
        "service": service,
        "name": name_of(container),
        "id": own.id if own else name_of(container),
        "pid": state["Pid"] if runs else None,
        "address": own.address if own else next(iter(addresses), ""),
        "port": own.port if own else None,
        "health": _health(state, own, registers, known is None) if runs else "stopped",
        "uptime_s": _age_s(state["StartedAt"]) if runs else 0.0,
        "pss_bytes": 0,
        "container": container["Id"],
    }


def fill_memory(engine: Engine, rows: list[dict]) -> None:
    """What each container holds, less the pages of files that it could give back; asked for all at once."""
    with ThreadPoolExecutor(ASK_AT_ONCE) as pool:
        for one, usage in zip(rows, pool.map(lambda one: engine.usage(one["container"]), rows), strict=True):
            one["pss_bytes"] = memory_bytes(usage)


def memory_bytes(usage: dict[str, Any]) -> int:
    """As `docker stats` counts it; 0 where nothing is known."""
    memory = usage.get("memory_stats") or {}
    files = memory.get("stats") or {}
    # By the kernel's first or second version of control groups.
    idle = files.get("total_inactive_file", files.get("inactive_file", 0))
    return max(0, memory.get("usage", 0) - idle)


def service_of(container: Inspected) -> str:
    return container["Config"]["Labels"][SERVICE]


def number_of(container: Inspected) -> int:
    return int(container["Config"]["Labels"].get(NUMBER) or 1)


def name_of(container: Inspected) -> str:
    return container["Name"].lstrip("/")


def addresses_of(container: Inspected) -> list[str]:
    """Its address in each network in which it is now."""
    networks = container["NetworkSettings"]["Networks"] or {}
    return [one["IPAddress"] for one in networks.values() if one.get("IPAddress")]


def _health(state: dict[str, Any], own: Registered | None, registers: bool, registry_away: bool) -> str:
    """The registry's word where it has one; else the container's own check."""
    checked = OWN_CHECK.get((state.get("Health") or {}).get("Status", "none"), "passing")
    if own is not None:
        return own.health
    if state["Paused"]:
        return "critical"
    if not registers or checked != "passing":
        return checked
    # It runs: with a registry it is not listed yet, or any more; without one nobody can vouch for it.
    return "warning" if registry_away else "starting" if _age_s(state["StartedAt"]) < YOUNG_S else "critical"


def _age_s(started: str) -> float:
    # The engine gives nanoseconds, and whole seconds do here.
    at = datetime.fromisoformat(started[:19]).replace(tzinfo=UTC)
    return round((datetime.now(UTC) - at).total_seconds(), 1)
