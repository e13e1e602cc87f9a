"""Real HTTP servers on free ports that do what a test says, also what no good server would do."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from chassis.instance import Instance

Answer = tuple[int, dict[str, str], bytes]


class HttpServer:
    """Answers by `handle(method, path, headers, body)`. `stop` also cuts the connections that are open."""

    def __init__(self, handle: Callable[..., Answer | None], port: int = 0) -> None:
        self.handle = handle
        self.port = port
        self.start()

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def any_method(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = outer.handle(self.command, self.path, self.headers, body)
                if answer is None:  # hang up without a word
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = any_method  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def process_request(self, request: socket.socket, address: object) -> None:
                outer._open.append(request)
                super().process_request(request, address)

            def handle_error(self, request: object, address: object) -> None:
                pass  # a client that went away is what many of these tests are about

        self._open: list[socket.socket] = []
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many were opened since the start."""
        return len(self._open)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cut()

    def cut(self) -> None:
        """End all connections, as a crash does."""
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already


class FakeRegistry:
    """As much of Consul's API as a watcher sees, with the faults that a real one seldom shows.

    `fault`: an answer that is given instead of the right one.
    """

    def __init__(self) -> None:
        self.index = 10
        self.fault: Answer | None = None
        self.blocks = True
        self._life = 0
        self.asked: list[tuple[str, float]] = []
        self.rows: list[dict] = []
        self.pairs: dict[str, str] = {}
        self._changed = threading.Condition()
        self._server = HttpServer(self._answer)

    @property
    def url(self) -> str:
        return f"consul://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._server.port

    def set(self, *rows: dict, index: int | None = None, fault: Answer | None = None, **pairs: str) -> None:
        with self._changed:
            self.rows, self.pairs, self.fault = list(rows), pairs, fault
            self.index = self.index + 1 if index is None else index
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._life += 1
            self._changed.notify_all()
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def _answer(self, _method: str, path: str, _headers: object, _body: bytes) -> Answer:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        index, wait_s = int(query["index"][0]), int(query["wait"][0].removesuffix("ms")) / 1000
        self.asked.append((path, time.monotonic()))
        with self._changed:
            if self.blocks and index:
                life = self._life
                self._changed.wait_for(lambda: self.index != index or self.fault or self._life > life, wait_s)
            if self.fault:
                return self.fault
            if "/kv/" in parts.path:
                prefix = unquote(parts.path.removeprefix("/v1/kv/"))
                found = [(key, text) for key, text in self.pairs.items() if key.startswith(prefix)]
                rows = [{"Key": k, "Value": base64.b64encode(v.encode()).decode() or None} for k, v in found]
            else:
                rows = self.rows
            content = json.dumps(rows).encode() if rows or "/kv/" not in parts.path else b""
            return 200 if content else 404, {"X-Consul-Index": str(self.index)}, content


def row(id: str, *checks: tuple[str, str], port: int = 4001, **service: object) -> dict:
    """An element of `/v1/health/service/<name>`; healthy unless checks (status, output) are given."""
    described = {"ID": id, "Service": "catalog", "Address": "10.0.0.1", "Port": port, **service}
    states = checks or (("passing", ""),)
    return {
        "Node": {"Node": "n", "Address": "10.9.9.9"},
        "Service": described,
        "Checks": [{"Status": status, "Output": output} for status, output in states],
    }


def instance(name: str, **fields: object) -> Instance:
    return Instance(name, "catalog", "10.0.0.1", 4001, **fields)


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
