"""The fleet as `fleet.toml` tells it: what runs, with which command and which environment."""

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import Misused, Refused
from deploy.local.settings import Settings

MARKER = "SOUK_FLEET"
# What a shell often sets for other programs, and what would hit every service at once here.
NOT_HANDED_ON = ("PORT", "HOST", "VERSION", "DATABASE_URL")
# nginx lies here on some systems although a user's PATH has none of them.
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Service:
    """One line of the fleet."""

    name: str
    single: bool
    replicas: int
    threads: int
    database: bool
    prefix: str | None
    consumes: tuple[str, ...]
    batches: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """How a replica is started."""
        # -P: what lies in the current folder must not be imported instead of the service.
        words = [sys.executable, "-P", "-m", self.name]
        return words if self.name == "gateway" else [*words, "serve"]


class Fleet:
    """All services, in the order of the file, less the registry when another Consul takes its place."""

    def __init__(self, services: list[Service]) -> None:
        self.services = {service.name: service for service in services}

    def get(self, name: str) -> Service:
        """The service; raises Misused when there is none."""
        if name not in self.services:
            raise Misused(f"there is no service {name!r}; there are {', '.join(self.services)}")
        return self.services[name]

    def event_routes(self) -> dict[str, list[str]]:
        """Event type -> who subscribes to it: `consumes`, turned around."""
        return _turned_around({service.name: service.consumes for service in self.services.values()})

    def event_batches(self) -> dict[str, list[str]]:
        """Event type -> which of its subscribers need not get it at once: `batches`, turned around."""
        return _turned_around({service.name: service.batches for service in self.services.values()})


def _turned_around(types: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, its in types.items():
        for event_type in its:
            names.setdefault(event_type, []).append(name)
    return names


def load_fleet(settings: Settings) -> Fleet:
    """Read `fleet.toml`; raises Refused when it is not there or not right."""
    try:
        entries = tomllib.loads(settings.fleet_file.read_text())["service"]
        services = [_service(entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"cannot read the fleet from {settings.fleet_file}: {error}") from None
    return Fleet([s for s in services if s.name != "registry" or settings.own_registry])


def _service(entry: Mapping) -> Service:
    return Service(
        name=entry["name"],
        single=entry.get("kind") == "single",
        replicas=int(entry.get("replicas", 1)),
        threads=int(entry.get("threads", 8)),
        database=bool(entry.get("database", True)),
        prefix=entry.get("prefix"),
        consumes=tuple(entry.get("consumes", ())),
        batches=tuple(entry.get("batches", ())),
    )


def environment(settings: Settings, fleet: Fleet, service: Service, base: Mapping[str, str] = os.environ) -> dict:
    """The environment of one service's processes.

    `<SERVICE>__<NAME>` in `base` becomes `<NAME>` for that service alone, and wins over everything.
    """
    meant_for_one = tuple(f"{name.upper()}__" for name in fleet.services)
    env = {k: v for k, v in base.items() if k not in NOT_HANDED_ON and not k.startswith(meant_for_one)}
    env.update(settings.as_environment())
    home = settings.home
    env |= {
        MARKER: str(home),
        "SOUK_SERVICE": service.name,
        "THREADS": base.get("THREADS", str(service.threads)) if not service.single else str(service.threads),
        "EVENT_ROUTES": json.dumps(fleet.event_routes()),
        "EVENT_BATCHES": json.dumps(fleet.event_batches()),
        "SERVICE_KEY_FILE": str(home / "keys" / "service.keys"),
        "PASSWORDS_FILE": str(home / "passwords.json"),
        "FAULTS_ENABLED": base.get("FAULTS_ENABLED", "true"),
        "PATH": os.pathsep.join([base.get("PATH", os.defpath), *SYSTEM_FOLDERS]),
        "PYTHONUNBUFFERED": "1",
    }
    own = service.name.upper() + "__"
    env.update({key.removeprefix(own): value for key, value in base.items() if key.startswith(own)})
    return env


def log_file(home: Path, replica: str) -> Path:
    """Where the replica `catalog-1` writes."""
    return home / "logs" / f"{replica}.log"
