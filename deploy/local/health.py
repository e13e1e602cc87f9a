"""What the registry says: Consul's HTTP API, as far as the command line needs it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.client import http

if TYPE_CHECKING:
    import requests

MOST_BYTES = 32_000_000
ORDER = ("passing", "warning", "critical")


@dataclass(frozen=True)
class Registered:
    """One instance in the registry."""

    id: str
    service: str
    address: str
    port: int
    health: str


def registered(
    registry_url: str, timeout_s: float = 2, session: Callable[[], "requests.Session"] = http
) -> list[Registered] | None:
    """All instances that the registry knows; None when it cannot be asked, or answers what makes no sense."""
    import requests

    try:
        with session() as asking:
            services = _get(asking, f"{registry_url}/v1/agent/services", timeout_s)
            checks = _get(asking, f"{registry_url}/v1/agent/checks", timeout_s)
        return _read(services, checks)
    except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _read(services: dict, checks: dict) -> list[Registered]:
    worst: dict[str, str] = {}
    for check in checks.values():
        owner, status = check["ServiceID"], check["Status"]
        worst[owner] = max(worst.get(owner, "passing"), status, key=ORDER.index)
    return [
        Registered(s["ID"], s["Service"], s["Address"] or "127.0.0.1", s["Port"], worst.get(s["ID"], "passing"))
        for s in services.values()
    ]


def _get(session: "requests.Session", url: str, timeout_s: float) -> dict:
    ends_at = time.monotonic() + timeout_s
    body = b""
    with session.get(url, timeout=timeout_s, stream=True) as answer:
        answer.raise_for_status()
        for piece in answer.iter_content(65_536):
            body += piece
            if len(body) > MOST_BYTES or time.monotonic() > ends_at:
                raise ValueError("an answer without end")
    return json.loads(body)


def answers(url: str, timeout_s: float = 2) -> int | None:
    """The HTTP status of a GET, or None when nobody answers."""
    import requests

    try:
        with http() as session:
            answer = session.get(url, timeout=timeout_s, allow_redirects=False, stream=True)
            with answer:
                return answer.status_code
    except requests.RequestException:
        return None
