"""For tests: a scripted registry, small real instances, and a whole gateway with a real nginx in front of them."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from chassis.discovery import OnInstances, OnPairs
from chassis.instance import Instance
from gateway.main import Gateway
from gateway.settings import load

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 15.0) -> T:
    """The first true value that `look()` returns. Raises AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.01)
    return value


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Seen:
    """A request as an instance received it; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What an instance says. drop: it closes the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False


class Upstream:
    """One instance: a real server on a free port that does what `answer` says and remembers what it was asked."""

    def __init__(self, answer: Callable[[Seen], Answer] = lambda _seen: Answer()) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.connections: set[socket.socket] = set()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # head and body in one packet

            def setup(self) -> None:
                upstream.connections.add(self.request)
                super().setup()

            def handle_any(self) -> None:
                upstream.handle(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.command, request.path, headers, body)
        if "x-real-ip" not in headers:  # from a client of another test, whose instance had this port before
            request.close_connection = True
            return
        self.seen.append(seen)
        answer = self.answer(seen)
        if answer.drop:
            request.close_connection = True
            return
        request.send_response(answer.status)
        standard = {"Content-Type": "application/json", "X-Served-By": str(self.port), "X-Trace-Id": "theirs"}
        for name, value in (standard | dict(answer.headers)).items():
            request.send_header(name, value)
        if answer.status != 304:
            request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        if request.command != "HEAD" and answer.status != 304:
            request.wfile.write(answer.body)

    def instance(self, service: str) -> Instance:
        return Instance(f"{service}-127.0.0.1-{self.port}", service, "127.0.0.1", self.port)

    def close(self) -> None:
        """As if killed: new connections are refused, and those that were kept are closed."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)


class ScriptedDiscovery:
    """A registry that says what the test tells it to. silent: it never says anything, as one that is away."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent
        self.known: dict[str, list[Instance]] = {}
        self.pairs: dict[str, str] = {}
        self.listeners: dict[str, OnInstances] = {}
        self.pair_listeners: list[OnPairs] = []

    def watch(self, name: str, on_change: OnInstances) -> None:
        self.listeners[name] = on_change
        if not self.silent:
            on_change(self.known.get(name, []))

    def watch_kv(self, prefix: str, on_change: OnPairs) -> None:  # noqa: ARG002  # all pairs begin with it
        self.pair_listeners.append(on_change)
        if not self.silent:
            on_change(self.pairs)

    def put(self, service: str, *upstreams: Upstream) -> None:
        """These are the healthy instances of the service from now on."""
        self.known[service] = [upstream.instance(service) for upstream in upstreams]
        if service in self.listeners:
            self.listeners[service](self.known[service])

    def put_pairs(self, **pairs: str) -> None:
        """`put_pairs(cache="off")` is the pair `souk/gateway/cache`; two underscores stand for a slash."""
        self.pairs = {f"souk/gateway/{name.replace('__', '/')}": value for name, value in pairs.items()}
        for listener in self.pair_listeners:
            listener(self.pairs)


@dataclass
class Reply:
    """What came back through the gateway; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    header_list: list[tuple[str, str]]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """A running gateway as its clients and its operator see it."""

    port: int
    home: Path
    gateway: Gateway | None = None

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """One request on a connection of its own; the path is sent exactly as written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return read_reply(connection)
        finally:
            connection.close()

    def served_by(self, path: str) -> str:
        """The instance that answers this path now, or "gateway"."""
        return self.ask(path).headers.get("x-served-by", "")

    @property
    def notes(self) -> dict[str, Any]:
        """reloads.json, or what it would say before the first reload."""
        file = self.home / "run" / "nginx" / "reloads.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"reloads": 0, "rejected": 0}
        return found

    @contextmanager
    def reload(self) -> Iterator[None]:
        """What is done inside leads to a reload; comes back when no worker from before takes connections."""
        before = eventually(self.workers)  # none yet, if nginx has only just begun to listen
        yield
        eventually(lambda: not before & self.workers())

    def workers(self) -> set[int]:
        """The workers that accept connections."""
        master = int((self.home / "run" / "nginx" / "nginx.pid").read_text())
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return {int(pid) for pid in children if _title(pid) == "nginx: worker process"}


def _title(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().strip("\0 ")
    except OSError:
        return ""


def read_reply(connection: http.client.HTTPConnection) -> Reply:
    """The answer to what was sent on this connection."""
    response = connection.getresponse()
    pairs = [(name.lower(), value) for name, value in response.getheaders()]
    return Reply(response.status, dict(pairs), response.read(), pairs)


@contextmanager
def open_gateway(home: Path, discovery: ScriptedDiscovery, **environ: str) -> Iterator[Door]:
    """A whole gateway: the watcher in a thread of the test, nginx as its child. Changes settle in 50 ms."""
    port = int(environ.get("GATEWAY_PORT") or free_port())
    standard = {"SOUK_HOME": str(home), "GATEWAY_PORT": str(port), "RELOAD_WINDOW_MS": "50", "STOP_S": "5"}
    gateway = Gateway(load(standard | environ), discovery)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(gateway.run()), daemon=True)
    thread.start()
    door = Door(port, home, gateway)
    try:
        eventually(lambda: gateway.serving.is_set() or not thread.is_alive())
        yield door
    finally:
        gateway.stop()
        thread.join(timeout=30)
    if codes != [0]:
        raise AssertionError(f"the gateway ended with {codes}")
