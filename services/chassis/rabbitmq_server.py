"""A RabbitMQ server of one's own, for tests and experiments: the one that RABBITMQ_URL names, else a fresh one.

A fresh one needs the program rabbitmq-server, and is gone afterwards with all that was in it. It shares nothing with
another one on the machine: ports, node name, cookie, data and even Erlang's port mapper (epmd) are its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

START_S = 100.0
STOP_S = 20.0
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = souk
default_pass = {password}
loopback_users = none
vm_memory_high_watermark.absolute = 400MB
disk_free_limit.absolute = 20MB
log.console = false
"""
# One scheduler that does not spin while it waits: the machine is needed for what is tested.
SMALL = "+S 1:1 +SDcpu 1:1 +SDio 2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


class NoRabbitMQ(Exception):
    """There is none, and none can be started. The text says what is missing."""


class Broker:
    """A running server. `api` asks its management API for what AMQP cannot do: virtual hosts, users, closing."""

    def __init__(self, url: str, management: str) -> None:
        self.url, self.management = url, management
        parts = urlsplit(url)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (parts.username or "guest", parts.password or "guest")

    def api(self, method: str, path: str, **body: Any) -> Any:
        """The answer's JSON, or None. Raises requests.RequestException."""
        response = self.session.request(method, f"{self.management}/api/{path}", json=body or None, timeout=10)
        response.raise_for_status()
        return response.json() if response.content else None

    def with_vhost(self, name: str) -> str:
        return urlsplit(self.url)._replace(path="/" + quote(name, safe="")).geturl()


class OwnBroker(Broker):
    """A server that was started here, and can be killed and started again on its data."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder, self.program = folder, program
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        amqp, management, self._epmd_port, self._distribution = _free_ports(4)
        self._node = f"souk-{self._distribution}@localhost"
        password = uuid.uuid4().hex
        super().__init__(f"amqp://souk:{password}@127.0.0.1:{amqp}/", f"http://127.0.0.1:{management}")
        text = CONFIGURATION.format(amqp=amqp, management=management, password=password)
        (folder / "rabbitmq.conf").write_text(text)
        (folder / "plugins").write_text("[rabbitmq_management].\n")

    def start(self) -> None:
        """Returns when it serves. Raises NoRabbitMQ with the end of its log."""
        environment = self._environment()
        if self._epmd is None and (epmd := shutil.which("epmd")):  # else the server leaves one behind, for ever
            words = [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = self._run(words, environment)
            self._wait(lambda: socket.create_connection(("127.0.0.1", self._epmd_port), 1).close())
        self._server = self._run([str(self.program), "-noinput"], environment)
        self._wait(lambda: self.api("GET", "health/checks/port-listener/" + str(urlsplit(self.url).port)))

    def kill(self) -> None:
        """As when its machine fails: nothing is written any more."""
        self.signal(signal.SIGKILL)
        self._end(self._server)
        self._server = None

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP makes it silent, as a network that is cut does; SIGCONT ends that."""
        if self._server is not None:
            self._server.send_signal(number)

    def control(self, *words: str) -> None:
        """`rabbitmqctl words`: what neither AMQP nor the management API can do. Raises CalledProcessError."""
        command = [str(self.program.with_name("rabbitmqctl")), "--node", self._node, *words]
        subprocess.run(command, env=self._environment(), check=True, capture_output=True, timeout=START_S)

    def stop(self) -> None:
        """At once: what it holds is thrown away, and an orderly end takes seven seconds."""
        self.kill()
        if self._epmd is not None:
            self._epmd.terminate()
        self._end(self._epmd)
        self._server = self._epmd = None

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        return kept | {
            "HOME": str(folder),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the server, so that its pid is the server's
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": str(folder / "server.log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": SMALL,
            "RABBITMQ_CTL_ERL_ARGS": SMALL,
        }

    def _run(self, words: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                words, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
            )  # fmt: skip

    def _wait(self, serves: Any) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                serves()
                return
            except OSError:  # requests' exceptions are some of them
                ended = self._server is not None and self._server.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise NoRabbitMQ(f"rabbitmq-server does not start: {self._last_words()}") from None
                time.sleep(0.1)

    def _last_words(self) -> str:
        texts = [
            path.read_text(errors="replace")
            for name in ("output", "server.log")
            if (path := self.folder / name).exists()
        ]
        return "".join(texts)[-2000:]

    def _end(self, process: "subprocess.Popen[bytes] | None") -> None:
        if process is None:
            return
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def own_broker() -> Iterator[OwnBroker]:
    """A fresh server. Raises NoRabbitMQ."""
    program = _program()
    if program is None:
        raise NoRabbitMQ("no RabbitMQ: install the package rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="souk-mq-", ignore_cleanup_errors=True) as folder:
        broker = OwnBroker(program, Path(folder))
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


@contextmanager
def any_broker() -> Iterator[Broker]:
    """The server that RABBITMQ_URL names, else one of our own. Raises NoRabbitMQ.

    RABBITMQ_MANAGEMENT_URL: where its management API is (port 15672 of the same host, without TLS); the user must be
    an administrator.
    """
    if given := os.environ.get("RABBITMQ_URL"):
        default = f"http://{urlsplit(given).hostname}:15672"
        yield Broker(given, os.environ.get("RABBITMQ_MANAGEMENT_URL", default))
        return
    with own_broker() as broker:
        yield broker


@contextmanager
def virtual_host(broker: Broker, **settings: str) -> Iterator[str]:
    """The URL of an empty virtual host, deleted afterwards with all that is in it and all connections to it."""
    name = f"souk-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", **settings)
    user = quote(urlsplit(broker.url).username or "guest", safe="")
    broker.api("PUT", f"permissions/{name}/{user}", configure=".*", write=".*", read=".*")
    try:
        yield broker.with_vhost(name)
    finally:
        with suppress(requests.ConnectionError):  # a test may have killed it
            broker.api("DELETE", f"vhosts/{name}")


def _program() -> Path | None:
    """The script itself. What Debian has on the PATH changes the user, and lets nobody choose the folders."""
    found = [*Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")]
    found += [Path(path).resolve() for path in (shutil.which("rabbitmq-server"),) if path]
    return next(iter(found), None)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
