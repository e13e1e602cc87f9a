"""The system under test as a project of compose of its own: `loadtests.lab.place.Place` by the engine."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from deploy.compose import logs, partition, status
from deploy.compose.commands import PROJECT
from deploy.compose.engine import Engine
from deploy.compose.inside import Inside
from deploy.compose.monitor import ContainerMonitor
from deploy.compose.project import read_project
from deploy.compose.runtime import Containers
from deploy.local.fleet import load_fleet
from deploy.local.settings import load
from loadtests.lab.experiment import DATABASE, INSTANCES
from loadtests.lab.place import Instance
from loadtests.lab.processes import free_port

GATEWAY_FILES = "file:///var/lib/souk"
AT_ONCE = 32
EVER = 1  # seconds of the epoch; the engine wants one
# What the load of one machine would run into, and what is no part of any question.
LIMITS = {"RATE_LIMIT_PER_S": "0"}


class ComposePlace:
    """A `loadtests.lab.place.Place`. Raises Refused where there is no engine."""

    ends_what_hangs = False
    keeps_ids = True
    dead_refuse = False
    wipe = ("reset", "--yes")

    def __init__(self) -> None:
        self.engine = Engine()
        self.home = Path(tempfile.mkdtemp(prefix="souk-lab-"))
        gateway, registry = free_port(), free_port()
        self.url, self.registry = f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{registry}"
        self._override = self.home / "settings.json"
        self.environment = {
            "SOUK_RUNTIME": "compose", "COMPOSE_PROJECT_NAME": self.home.name.lower().replace("_", "-"),
            "GATEWAY_PORT": str(gateway), "REGISTRY_PORT": str(registry),
            "COMPOSE_FILE": os.pathsep.join((str(PROJECT / "docker-compose.yml"), str(self._override))),
        }  # fmt: skip
        self.lacks = {DATABASE: "each container has its own, and no other: run it with --runtime local"}
        if not self.engine.is_on_this_host:
            self.lacks[INSTANCES] = f"the addresses of containers at {self.engine.host} cannot be reached from here"
        try:
            self.started_with({})
            self._system = Containers(read_project(os.environ | self.environment), self.engine)
        except BaseException:
            shutil.rmtree(self.home)
            raise

    def started_with(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        names = list(load_fleet(load({})).services)
        services = {name: {"environment": _own(name, names, LIMITS | settings)} for name in names}
        self._override.write_text(json.dumps({"services": services}, indent=2))
        return {}

    def about(self) -> dict[str, Any]:
        images = {status.service_of(one): one["Image"] for one in self._system.containers()}
        return {"runtime": "compose", "engine": self.engine.version, "images": images}

    @property
    def keys(self) -> Path:
        return self._system.service_keys

    # ---- what is done to it

    def kill(self, row: Instance) -> None:
        # Nothing before it: the fault's moment is that of this call.
        self.engine.do("kill", row["container"])
        self.engine.do("start", row["container"])

    @contextmanager
    def standing_still(self, row: Instance) -> Iterator[None]:
        self.engine.do("pause", row["container"])
        try:
            yield
        finally:
            self._system.wake(row["container"])

    def cut(self, service: str, other: str) -> AbstractContextManager[object]:
        return partition.cut(self._system, service, other)

    def power_cut(self, rows: list[dict[str, Any]]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._system.kill, [row["container"] for row in rows if row["pid"]]))

    # ---- what is seen of it

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        with self._system.http() as session:
            return session.request(method, url, **({"timeout": 10.0} | options))

    def left_out(self, address: str) -> Callable[[], bool | float]:
        said = self.log_from_now("gateway")

        def look() -> bool | float:
            # An engine that is ending a container answers nothing else for up to a second. The gateway's own words
            # bear the time at which it did what it says.
            return f"{address} weight=" not in self.gateway_conf() and (logs.left_out_at(said(), address) or True)

        return look

    def gateway_conf(self) -> str:
        return self._gateway_file("run/nginx/nginx.conf").decode()

    def reloads(self) -> int:
        return int(json.loads(self._gateway_file("run/nginx/reloads.json"))["reloads"])

    def access_log(self, start: int = 0) -> bytes:
        # It goes to the container's own log, among what the watcher says there.
        found = [
            line for one in self._system.containers("gateway") for line in logs.since(self.engine, one["Id"], EVER)
        ]
        return b"".join(line + b"\n" for line in found if b'"upstream"' in line)[start:]

    def log_from_now(self, service: str) -> Callable[[], list[bytes]]:
        since, found = time.time(), self._system.containers(service)
        return lambda: [line for one in found for line in logs.since(self.engine, one["Id"], since)]

    def monitor(self, others: Mapping[str, int]) -> ContainerMonitor:
        return ContainerMonitor(self.engine, self.environment["COMPOSE_PROJECT_NAME"], others)

    # ---- how

    @cached_property
    def _files(self) -> requests.Session:
        session = requests.Session()
        session.mount("file://", Inside(self.engine, lambda: [one["Id"] for one in self._system.containers("gateway")]))
        return session

    def _gateway_file(self, path: str) -> bytes:
        return self._files.get(f"{GATEWAY_FILES}/{path}", timeout=5).content


def _own(service: str, names: list[str], settings: Mapping[str, str]) -> dict[str, str]:
    """What of the settings is for this service: those for all, and `<SERVICE>__<NAME>`, which wins."""
    prefixes = tuple(f"{name.upper()}__" for name in names)
    own = f"{service.upper()}__"
    found = {name: value for name, value in settings.items() if not name.startswith(prefixes)}
    return found | {name.removeprefix(own): value for name, value in settings.items() if name.startswith(own)}
