"""A Redis for tests and benchmarks, from the installed program: started, killed, hung and started again by its pid.

A test takes the fixture `redis`, and is skipped where the program is not installed.
"""

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from redis import Redis
from redis.exceptions import RedisError

from chassis.testing_dimensions import server_or_skip

START_S = 60.0


class NoRedis(Exception):
    """None can be started. The text says what is missing."""


class RedisServer:
    """One server on a port of its own, which it keeps over restarts; what was in it is gone with each."""

    def __init__(self, program: str, folder: str) -> None:
        self._program, self._folder, self.port, self.password = program, folder, _free_port(), secrets.token_hex(8)
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def client(self) -> "Redis":
        """For looking at what is in it."""
        return Redis(host="127.0.0.1", port=self.port, password=self.password, decode_responses=True)

    def start(self) -> "RedisServer":
        """Start it, and return when it answers."""
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            f"dir {self._folder}",
            'save ""',
        )
        self._process = subprocess.Popen(
            [self._program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(lines))
        self._process.stdin.close()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"redis-server on port {self.port} did not start: {self._process.poll()}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it at once, also one that hangs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=START_S)

    def hang(self) -> None:
        """It takes connections, as its kernel does that for it, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with suppress(RedisError), self.client() as client:
            return bool(client.ping())
        return False


@contextmanager
def own_redis() -> Iterator[RedisServer]:
    """A fresh server. Raises NoRedis."""
    if (program := shutil.which("redis-server")) is None:
        raise NoRedis("no Redis: install the package redis-server")
    with tempfile.TemporaryDirectory(prefix="souk-redis-") as folder:
        server = RedisServer(program, folder)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server for one test, which may break it."""
    with server_or_skip("Redis", own_redis, NoRedis) as server:
        yield server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
