"""A whole system of its own, on free ports and in a short temporary SOUK_HOME: for the benchmarks here and `tests/`.

with System() as system:
    system.up()
    customer = system.customer()
    order = customer.follow(customer.place({"SOUK-000001": 2}))
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from bench.customer import Customer

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parents[1]
SOUK = Path(sys.executable).with_name("souk")
PATIENCE_S = 90.0
OPERATOR = "operator@souk.example"
# What the caller's shell says about its own system would lead ours astray.
NOT_OURS = ("DISCOVERY_URL", "EVENTS_URL", "REDIS_URL", "FLEET_FILE", "SERVICES_DIR", "DATABASE_URL", "PORT")


class System:
    """One system, driven by the command line as its user does. Settings for it are given as in a shell."""

    def __init__(self, **settings: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="souk-"))
        self.gateway_port, self.registry_port = free_port(), free_port()
        self.gateway = f"http://127.0.0.1:{self.gateway_port}"
        registry = settings.get("DISCOVERY_URL", f"consul://127.0.0.1:{self.registry_port}")
        self.registry = registry.replace("consul://", "http://")
        self.env = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        self.env |= {
            "SOUK_HOME": str(self.home),
            "GATEWAY_PORT": str(self.gateway_port),
            "REGISTRY_PORT": str(self.registry_port),
            "START_TIMEOUT_S": "180",  # a busy machine is no failure
        } | settings
        self._customers: list[Customer] = []
        self._groups: set[int] = set()
        # If we are killed, the pipe breaks, and somebody still tidies up.
        words = ["sh", "-c", 'read _ || "$0" down; rm -rf "$1"', SOUK, self.home]
        self._heir = subprocess.Popen(
            words, env=self.env, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> "System":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring everything down and remove the home. Raises AssertionError when a process is left."""
        for customer in self._customers:
            customer.close()
        with suppress(AssertionError, ValueError):
            self._note_groups()
        done = self.run("down")
        left = self.processes()
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        self._heir.communicate(b"all is done\n")
        if done.returncode or left:
            raise AssertionError(f"souk down: {done.returncode}, left: {left}\n{done.stdout}{done.stderr}")

    # ---- the command line

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One `souk` command, whatever its exit code."""
        return subprocess.run(
            [SOUK, *words], env=self.env, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip

    def souk(self, *words: str) -> str:
        """One `souk` command that has to succeed; what it prints. Raises AssertionError with its words."""
        done = self.run(*words)
        if done.returncode:
            raise AssertionError(f"souk {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> "System":
        self.souk("up", "--detach")
        return self

    def scale(self, **counts: int) -> None:
        self.souk("scale", *(f"{service}={count}" for service, count in counts.items()))

    def instances(self, service: str | None = None) -> list[dict[str, Any]]:
        """The rows of `souk status --json`, of one service or all."""
        rows = json.loads(self.souk("status", "--json"))["instances"]
        return [row for row in rows if service in (None, row["service"])]

    def registered(self, service: str) -> dict[str, str]:
        """The healthy instances of a service, as the registry knows them: id -> address."""
        found = self._direct("GET", f"{self.registry}/v1/health/service/{service}?passing").json()
        services = [row["Service"] for row in found]
        return {service["ID"]: f"http://{service['Address']}:{service['Port']}" for service in services}

    def audit(self) -> str:
        """What `souk audit` says. Raises AssertionError when it does not end with 0."""
        return self.souk("audit", "--within", str(PATIENCE_S))

    def crash(self) -> None:
        """Kill everything at once, the supervisor first, as a power cut does."""
        supervisor = json.loads((self.home / "run" / "system.json").read_text())["pid"]
        self._note_groups()
        os.kill(supervisor, signal.SIGKILL)
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    # ---- what it is made of

    def logs(self, service: str) -> list[dict[str, Any]]:
        """All lines that the replicas of a service have logged."""
        files = sorted((self.home / "logs").glob(f"{service}-[0-9]*.log"))
        lines = [line for file in files for line in file.read_text().splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def processes(self, groups: set[int] = frozenset()) -> list[psutil.Process]:
        """Every process of this system that lives: by its marker, or in one of the groups or of those seen before."""
        groups = self._groups | groups
        found = []
        for process in psutil.process_iter():
            # nginx writes its title over its environment, so the marker alone would miss it.
            with suppress(psutil.Error, ProcessLookupError):
                ours = os.getpgid(process.pid) in groups
                ours = ours or process.environ().get("SOUK_FLEET") == str(self.home)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _note_groups(self) -> None:
        self._groups |= {row["pid"] for row in self.instances() if row["pid"]}

    # ---- who is in the shop

    def customer(self) -> Customer:
        """A new customer, signed up and signed in."""
        customer = self.visitor()
        customer.sign_up(f"{uuid.uuid4().hex}@souk.example", uuid.uuid4().hex)
        return customer

    def operator(self) -> Customer:
        """The operator that every system has from the start."""
        operator = self.visitor()
        passwords = json.loads((self.home / "passwords.json").read_text())
        operator.sign_in(OPERATOR, passwords[OPERATOR])
        return operator

    def visitor(self) -> Customer:
        """Somebody who is not signed in."""
        visitor = Customer(self.gateway)
        self._customers.append(visitor)
        return visitor

    def charges(self, order_id: str) -> list[dict[str, Any]]:
        """What the bank has in its books for an order."""
        (bank,) = self.registered("bank").values()
        found, cursor = [], None
        while True:
            params = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
            page = self._direct("GET", f"{bank}/charges", params=params).json()
            found += [charge for charge in page["items"] if charge["reference"] == order_id]
            if (cursor := page["next"]) is None:
                return found

    def _direct(self, method: str, url: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url, timeout=30, **options)


def eventually(look: Callable[[], T], explain: Callable[[], object] = lambda: "", within_s: float = PATIENCE_S) -> T:
    """The first true value that `look()` returns. Raises AssertionError when the time is over."""
    deadline = time.monotonic() + within_s
    while not (value := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {within_s} s {explain()}")
        time.sleep(0.05)
    return value


def free_port() -> int:
    """A port that nobody has, below those that replicas get from the operating system."""
    while True:
        port = random.SystemRandom().randrange(12000, 20000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
