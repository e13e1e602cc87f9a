"""Compose's project: its name and its services, by compose's own rules, and compose's own changes to it."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.compose.commands import Refused, last_line, run
from deploy.local.fleet import Fleet, Service


@dataclass(frozen=True)
class Project:
    """services: as in the file, by name; those that run once and end (`restart: "no"`) are jobs."""

    name: str
    services: dict[str, dict[str, Any]]

    def fleet(self, known: Fleet) -> Fleet:
        """The services of `services/fleet.toml`, and after them what only compose has: database, broker."""
        own = [service for name, service in known.services.items() if name in self.services]
        more = [name for name in self.services if name not in known.services and not self.is_job(name)]
        return Fleet(own + [_stranger(name) for name in more])

    def is_job(self, name: str) -> bool:
        return self.services.get(name, {}).get("restart", "no") == "no"

    def port(self, service: str, inside: int) -> int | None:
        """The port at this machine by which a service is published."""
        for port in self.services.get(service, {}).get("ports", []):
            if port.get("target") == inside:
                return int(port["published"])
        return None


def read_project(environ: Mapping[str, str] = os.environ) -> Project:
    """What compose makes of its files and of this environment. Raises Refused."""
    document = json.loads(compose("config", "--format", "json", environ=environ))
    return Project(document["name"], document["services"])


def compose(*words: str, environ: Mapping[str, str] = os.environ) -> str:
    """One command of compose's; returns what it prints. Raises Refused with its last words."""
    if shutil.which("docker") is None:
        raise Refused("there is no `docker` here: install Docker Engine and its Compose plugin")
    done = run("compose", *words, environ=environ)
    if done.returncode:
        if run("compose", "version").returncode:
            raise Refused("this `docker` has no Compose: install its Compose plugin")
        raise Refused(f"`docker compose {words[0]}` ended with {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def _stranger(name: str) -> Service:
    return Service(name, single=True, replicas=1, threads=0, database=False, prefix=None, consumes=())
