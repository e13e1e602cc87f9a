"""One running copy of a service, as the registry describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Instance:
    """status: passing, warning or critical, the worst of its checks. expired: critical for no other reason
    than that it did not renew in time. weight: its share of the load beside the others.
    """

    id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict, hash=False)
    weight: int = 1
    status: str = "passing"
    expired: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


def parse_instance(row: dict[str, Any]) -> Instance:
    """One element of `/v1/health/service/<name>`. Raises KeyError, TypeError or ValueError for others."""
    service = row["Service"]
    bad = [check for check in row["Checks"] if check["Status"] != "passing"]
    critical = any(check["Status"] != "warning" for check in bad)
    return Instance(
        id=str(service["ID"]),
        service=str(service["Service"]),
        address=str(service["Address"] or row["Node"]["Address"]),
        port=int(service["Port"]),
        tags=tuple(service.get("Tags") or ()),
        meta=dict(service.get("Meta") or {}),
        weight=int((service.get("Weights") or {}).get("Passing", 1)),
        status="critical" if critical else "warning" if bad else "passing",
        expired=bool(bad) and all(_is_expired(check) for check in bad),
    )


def _is_expired(check: dict[str, Any]) -> bool:
    return check["Status"] == "critical" and str(check.get("Output", "")).startswith("TTL expired")
