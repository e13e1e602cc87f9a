"""The system under test as processes on this machine, in a SOUK_HOME of its own and on free ports."""

import json
import os
import random
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from loadtests.lab.errors import LoadBroke
from loadtests.lab.experiment import CUT
from loadtests.lab.monitor import Monitor
from loadtests.lab.place import Instance
from loadtests.lab.target import ask


class Processes:
    """A `loadtests.lab.place.Place`."""

    wipe = ("down",)
    ends_what_hangs = True
    keeps_ids = False
    dead_refuse = True
    lacks = {CUT: "processes on one host share its network, which cannot be cut: run it with --runtime compose"}

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or Path(tempfile.mkdtemp(prefix="souk-lab-"))
        gateway, registry = free_port(), free_port()
        self.url, self.registry = f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{registry}"
        self.keys = self.home / "keys" / "service.keys"
        self.environment = {
            "SOUK_RUNTIME": "local", "SOUK_HOME": str(self.home), "GATEWAY_PORT": str(gateway),
            "REGISTRY_PORT": str(registry), "START_TIMEOUT_S": "180",
        }  # fmt: skip

    def started_with(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        return settings

    def about(self) -> dict[str, Any]:
        return {"runtime": "local"}

    # ---- what is done to it

    def kill(self, row: Instance) -> None:
        with suppress(ProcessLookupError):
            os.killpg(row["pid"], signal.SIGKILL)

    @contextmanager
    def standing_still(self, row: Instance) -> Iterator[None]:
        os.killpg(row["pid"], signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(row["pid"], signal.SIGCONT)

    def cut(self, service: str, other: str) -> AbstractContextManager[object]:
        raise LoadBroke(f"{service} cannot be cut from {other}: {self.lacks[CUT]}")

    def power_cut(self, rows: list[dict[str, Any]]) -> None:
        supervisor = json.loads((self.home / "run" / "system.json").read_text())["pid"]
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGKILL)
        for row in rows:
            if row["pid"]:
                self.kill(row)

    # ---- what is seen of it

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        return ask(method, url, **options)

    def left_out(self, address: str) -> Callable[[], bool]:
        return lambda: f"{address} weight=" not in self.gateway_conf()

    def gateway_conf(self) -> str:
        return (self.home / "run" / "nginx" / "nginx.conf").read_text()

    def reloads(self) -> int:
        return int(json.loads((self.home / "run" / "nginx" / "reloads.json").read_text())["reloads"])

    def access_log(self, start: int = 0) -> bytes:
        with (self.home / "logs" / "gateway-access.log").open("rb") as lines:
            lines.seek(start)
            return lines.read()

    def log_from_now(self, service: str) -> Callable[[], list[bytes]]:
        def files() -> dict[Path, int]:
            return {file: file.stat().st_size for file in (self.home / "logs").glob(f"{service}-*.log")}

        seen = files()

        def lines() -> list[bytes]:
            found: list[bytes] = []
            for file in files():
                with file.open("rb") as log:
                    log.seek(seen.get(file, 0))
                    found += log.readlines()
            return found

        return lines

    def monitor(self, others: Mapping[str, int]) -> Monitor:
        return Monitor(self.home, others)


def free_port() -> int:
    """A port that nobody has, below those that replicas get from the operating system."""
    while True:
        port = random.SystemRandom().randrange(12000, 20000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
