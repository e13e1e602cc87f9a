"""For tests: a real registry process, or a real Consul agent, on free ports and in a folder of their own.

with start_registry(tmp_path) as registry:
    requests.get(f"{registry.url}/v1/agent/services")
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")
START_S = 30.0


class NoConsul(Exception):
    """There is none on this machine. The text says what to do."""


@dataclass
class Running:
    """A started server. Leaving the `with` block, or `stop()`, ends it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """End the process and return its exit code; nothing happens when it has ended before."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_registry(home: Path, port: int = 0, **environment: str) -> Running:
    """Our registry with `home` as its SOUK_HOME; returns when it serves. Port 0 takes a free one.

    Raises RuntimeError with the log when it does not come up.
    """
    log = home / "logs" / "registry-1.log"
    settings = {"HOST": "127.0.0.1", "REGISTRY_PORT": str(port), "SOUK_HOME": str(home), "LOG_LEVEL": "info"}
    started = len(log.read_text()) if log.exists() else 0
    process = _run([sys.executable, "-m", "registry", "serve"], log, settings | environment)

    def bound_port() -> int:
        words = log.read_text()[started:].partition("listening on 127.0.0.1:")[2]
        return int(words.partition('"')[0]) if '"' in words else 0

    return _when_serving(Running(process, port, log), bound_port)


def consul_binary() -> str | None:
    """Where a real Consul is: CONSUL_BIN, or `consul` on the PATH."""
    return os.environ.get("CONSUL_BIN") or shutil.which("consul")


def start_consul(home: Path, port: int = 0) -> Running:
    """A Consul agent in development mode, in memory; returns when it has a leader. Port 0 takes a free one.

    Raises NoConsul, or RuntimeError with the log when it does not come up.
    """
    binary = consul_binary()
    if binary is None:
        raise NoConsul("no Consul: put `consul` on the PATH, or its path in CONSUL_BIN")
    free_port, server_port, serf_port = _free_ports(3)
    port = port or free_port
    command = f"{binary} agent -dev -bind 127.0.0.1 -client 127.0.0.1 -http-port {port}"
    command += f" -server-port {server_port} -serf-lan-port {serf_port} -serf-wan-port -1 -dns-port -1"
    limits = "limits { http_max_conns_per_client = 5000 }"
    log = home / "consul.log"
    process = _run([*command.split(), "-grpc-port", "-1", "-log-level", "warn", "-hcl", limits], log, {})

    def port_with_leader() -> int:
        url = f"http://127.0.0.1:{port}/v1/health/service/consul?passing"
        with urllib.request.urlopen(url) as answer:  # nosec B310 # an address of ours
            return port if b"serfHealth" in answer.read() else 0

    return _when_serving(Running(process, port, log), port_with_leader)


def eventually(look: Callable[[], T], seconds: float = 15.0) -> T:
    """The first true value that `look()` returns. Raises AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.01)
    return value


def _run(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environment)


def _when_serving(server: Running, port: Callable[[], int]) -> Running:
    def served() -> int:
        if server.process.poll() is not None:
            raise RuntimeError(f"ended with {server.process.returncode}: {server.log.read_text()}")
        try:
            return port()
        except OSError:
            return 0

    try:
        server.port = eventually(served, START_S)
    except AssertionError:
        server.stop()
        raise RuntimeError(f"did not come up: {server.log.read_text()}") from None
    return server


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, for a server that cannot be asked which port it took."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports
