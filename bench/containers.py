"""A system of containers of its own, under a project's name and on ports of its own, for tests and benchmarks."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.customer import Customer
from deploy.compose.commands import PROJECT

UP_S = 280


class Containers:
    """Started by `up`, with `make compose-up`'s own command; everything of it is removed at the end of `with`."""

    def __init__(self) -> None:
        self.project = f"souk-test-{os.getpid()}"
        self.gateway_port, self.registry_port = _free(), _free()
        self.shop = f"http://127.0.0.1:{self.gateway_port}"
        self.environ = {
            **os.environ, "COMPOSE_PROJECT_NAME": self.project, "COMPOSE_PROGRESS": "quiet",
            "GATEWAY_PORT": str(self.gateway_port), "REGISTRY_PORT": str(self.registry_port),
        }  # fmt: skip
        self.environ.pop("COMPOSE_PROFILES", None)

    def __enter__(self) -> "Containers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.docker("compose", "--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20")

    def up(self, **environ: str) -> float:
        """Start all; how many seconds it took from built images until all were healthy."""
        self.docker("compose", "--profile", "*", "build", "--quiet")
        began = time.monotonic()
        done = self.start(**environ)
        if done.returncode:
            raise AssertionError(f"{done.stdout}{done.stderr}")
        return time.monotonic() - began

    def start(self, **environ: str) -> "subprocess.CompletedProcess[str]":
        """`make compose-up`, and whatever comes of it."""
        words = [sys.executable, "-m", "deploy.compose", "up"]
        return _run(words, {**self.environ, **environ}, UP_S)

    def docker(self, *words: str) -> str:
        """What a command of docker's prints. Raises AssertionError when it fails."""
        done = _run(["docker", *words], self.environ, UP_S)
        if done.returncode:
            raise AssertionError(f"docker {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def souk(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of `souk`, on these containers."""
        return _run(
            [str(Path(sys.executable).parent / "souk"), *words], self.environ | {"SOUK_RUNTIME": "compose"}, UP_S
        )

    def inside(self, service: str, *words: str) -> str:
        """What a program in the service's first container prints."""
        return self.docker("compose", "exec", "--no-TTY", service, *words)

    def ids(self, *services: str) -> list[str]:
        """The containers, of these services or all, that have ended too."""
        return self.docker("compose", "--profile", "*", "ps", "--all", "--quiet", *services).split()

    def inspect(self, *services: str) -> list[dict[str, Any]]:
        """All that docker knows of these containers."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *self.ids(*services)))
        return found

    def customer(self, name: str = "customer") -> Customer:
        """One of the two users that are seeded, signed in."""
        email = f"{name}@souk.example"
        customer = Customer(self.shop)
        customer.sign_in(email, json.loads(self.inside("accounts", "cat", "/run/secrets/passwords.json"))[email])
        return customer

    def memory(self) -> dict[str, float]:
        """MiB in use, by container, as `docker stats` counts it."""
        said = self.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *self.ids())
        rows = [line.split()[:2] for line in said.splitlines()]
        return {name.removeprefix(f"{self.project}-"): _mebibytes(used) for name, used in rows}


def missing() -> str | None:
    """Why there can be no containers here; None when there can."""
    if shutil.which("docker") is None:
        return "there is no docker here"
    for words in (["docker", "version"], ["docker", "compose", "version"]):
        if (done := _run(words, dict(os.environ), 20)).returncode:
            return f"`{' '.join(words)}` fails: {done.stderr.strip()}"
    return None


def _run(words: list[str], environ: dict[str, str], within_s: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=within_s, check=False
    )


def _mebibytes(text: str) -> float:
    for unit, size in (("GiB", 1024.0), ("MiB", 1.0), ("KiB", 1 / 1024), ("B", 1 / 1024**2)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    raise ValueError(text)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
