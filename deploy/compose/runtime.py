"""The system as compose's project: `deploy.runtime.Runtime` by the Docker engine, and by compose where it changes."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.compose import logs, partition, scaling, starting, status
from deploy.compose.engine import Engine
from deploy.compose.inside import Inside
from deploy.compose.project import Project, compose, read_project
from deploy.local.errors import Refused
from deploy.local.fleet import Fleet, load_fleet
from deploy.local.health import registered
from deploy.local.home import take_lock
from deploy.local.logs import Line
from deploy.local.settings import load
from deploy.runtime import Said

if TYPE_CHECKING:
    import requests

# Whoever has all of the secrets that a command needs, and who has python and may ask for us: the best first.
KEEPERS = ("accounts", "accounts-migrate")
MESSENGERS = ("registry", "gateway", "bank")
SINGLES = ("registry", "gateway")
GATEWAY_PORT, REGISTRY_PORT = 8080, 8500
SECRETS = "/run/secrets"
LOOK_S = 2.0


class Containers:
    """`deploy.runtime.Runtime`, of one project of compose. Nothing is asked of the engine before it is needed."""

    def __init__(self, project: Project, engine: Engine) -> None:
        self.project, self.engine = project, engine
        self._inside = Inside(engine, self._messengers)

    @cached_property
    def fleet(self) -> Fleet:
        return self.project.fleet(load_fleet(load({})))

    @cached_property
    def gateway_url(self) -> str:
        return self._published("gateway", GATEWAY_PORT)

    @cached_property
    def registry_url(self) -> str:
        return self._published("registry" if "registry" in self.project.services else "consul", REGISTRY_PORT)

    @cached_property
    def service_keys(self) -> Path:
        # Ours alone, and gone with us.
        self._folder = tempfile.TemporaryDirectory(prefix="souk-")
        file = Path(self._folder.name) / "service.keys"
        file.write_bytes(self._secret("service.keys"))
        return file

    def passwords(self) -> dict[str, str]:
        return json.loads(self._secret("passwords.json"))

    # ---- its life

    def up(self, said: Said) -> None:
        said("building the images, and starting the containers")
        starting.up()

    def stay(self) -> None:
        try:
            while self.silence() is None:
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            self.down()

    def down(self) -> str:
        there = bool(self.containers())
        starting.down()
        return "Souk is stopped." if there else "Souk does not run."

    def to_wipe(self) -> str | None:
        return f"the project {self.project.name}"

    def wipe(self) -> None:
        compose("--profile", "*", "down", "--remove-orphans", "--volumes")

    # ---- looking at it

    def require_running(self) -> None:
        if self.silence() is not None:
            raise Refused(
                f"no container of the project {self.project.name!r} runs: start it with `make compose-up`, or set "
                "COMPOSE_PROJECT_NAME"
            )

    def silence(self) -> str | None:
        runs = any(container["State"]["Running"] for container in self.containers())
        return None if runs else f"Souk does not run in compose's project {self.project.name!r}."

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """As `docker inspect` has them, by service and number: all that are to stay, or those of one service."""
        order = list(self.fleet.services)
        found = [one for one in self.engine.containers(self.project.name) if status.service_of(one) in order]
        chosen = [one for one in found if service in (None, status.service_of(one))]
        return sorted(chosen, key=lambda one: (order.index(status.service_of(one)), status.number_of(one)))

    def rows(self, memory: bool = True) -> list[dict]:
        found = self.containers()
        known = registered(self.registry_url) if found else None
        rows = [status.row(one, known, self._registers(status.service_of(one))) for one in found]
        if memory:
            status.fill_memory(self.engine, rows)
        return rows

    def http(self) -> "requests.Session":
        import requests
        from requests.adapters import HTTPAdapter

        session = requests.Session()
        session.trust_env = False
        session.mount("http://", self._inside)
        for url in (self.gateway_url, self.registry_url):
            session.mount(url, HTTPAdapter())
        return session

    def lines(self, service: str | None, following: bool) -> Iterator[Line]:
        if service is not None:
            self.fleet.get(service)
        if following:
            return logs.following(self.engine, lambda: self.containers(service))
        return logs.merged(self.engine, self.containers(service))

    def lines_with(self, *words: str) -> list[Line]:
        return list(logs.merged(self.engine, self.containers(), lambda text: any(word in text for word in words)))

    # ---- changing it

    @contextmanager
    def lock(self) -> Iterator[None]:
        file = Path(tempfile.gettempdir()) / f"souk-{os.getuid()}-{self.project.name}.lock"
        if (held := take_lock(file)) is None:
            raise Refused(f"another souk command is at work on {self.project.name}: wait until it is done")
        with held:
            yield

    def scale(self, counts: Mapping[str, int], said: Said) -> None:
        scaling.scale(self, counts, said)

    def restart(self, service: str, said: Said) -> None:
        scaling.restart(self, service, said)

    # ---- breaking it

    def signal(self, row: dict, name: str) -> str:
        if name == "KILL":
            self.kill(row["container"])
            self._back(row)
            return f"{row['id']} was killed, and started again"
        self.engine.do({"STOP": "pause", "CONT": "unpause"}[name], row["container"])
        return f"{row['id']} is {'paused' if name == 'STOP' else 'going on'}"

    def kill(self, container: str) -> None:
        """SIGKILL to all processes of a container. It stays dead: the engine takes that for its user's wish."""
        self.wake(container)
        self.engine.do("kill", container)

    def wake(self, container: str) -> None:
        """Let it go on, if it is paused."""
        if self.engine.inspect(container)["State"]["Paused"]:
            self.engine.do("unpause", container)

    def away(self, row: dict, seconds: float) -> str:
        self.kill(row["container"])
        try:
            time.sleep(seconds)
        finally:
            # Also when we are interrupted: nobody else would start it.
            self._back(row)
        return f"{row['id']} was killed, and away for {seconds:g} s"

    def still(self, row: dict, seconds: float) -> str:
        self.engine.do("pause", row["container"])
        try:
            time.sleep(seconds)
        finally:
            self.wake(row["container"])
        return f"{row['id']} stood still for {seconds:g} s"

    def partition(self, service: str, other: str, seconds: float, said: Said) -> str:
        for name in (service, other):
            self.fleet.get(name)
        return partition.partition(self, service, other, seconds, said)

    # ---- how

    def _published(self, service: str, inside: int) -> str:
        """As the running container has it; else as it would have it by this environment."""
        for one in self.containers(service):
            for port in one["NetworkSettings"]["Ports"].get(f"{inside}/tcp") or ():
                return f"http://127.0.0.1:{port['HostPort']}"
        return f"http://127.0.0.1:{self.project.port(service, inside)}"

    def _back(self, row: dict) -> None:
        self.engine.do("start", row["container"])

    def _registers(self, service: str) -> bool:
        return self.fleet.get(service).threads > 0 and service not in SINGLES

    def _messengers(self) -> list[str]:
        running = [one for one in self.containers() if one["State"]["Running"] and not one["State"]["Paused"]]
        able = [one for one in running if self.fleet.get(status.service_of(one)).threads > 0]
        rank = {name: number for number, name in enumerate(MESSENGERS)}
        return [one["Id"] for one in sorted(able, key=lambda one: rank.get(status.service_of(one), len(rank)))]

    def _secret(self, name: str) -> bytes:
        found = self.engine.containers(self.project.name)
        for keeper in KEEPERS:
            for one in found:
                if status.service_of(one) == keeper:
                    return self.engine.read(one["Id"], f"{SECRETS}/{name}")
        raise Refused(f"no container has {name}: start the system with `make compose-up`")


def find_project() -> Containers:
    """Compose's project of this shell, running or not."""
    return Containers(read_project(), Engine())
