"""HTTP from inside the project's network: requests that a container sends for us.

A container's address can be reached from a Linux host, and not with Docker Desktop, nor with a remote engine. So a
small program in one of the containers takes requests on its stdin and gives the answers on its stdout, one JSON
object a line; to its user it is a `requests.Session`.
"""

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

import requests
from docker.utils.socket import frames_iter
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse
from urllib3._collections import HTTPHeaderDict

from deploy.compose.engine import Engine, said
from deploy.local.errors import Refused

STDOUT = 1
SPARE_S = 5.0  # what a container may take longer than the request's own time-out
PROGRAM = """
import base64, http.client, json, sys
from pathlib import Path
from urllib.parse import urlsplit

def answer(method, url, headers, body, timeout):
    where = urlsplit(url)
    if where.scheme == "file":
        return 200, "OK", [], Path(where.path).read_bytes()
    connection = http.client.HTTPConnection(where.hostname, where.port or 80, timeout=timeout)
    try:
        target = (where.path or "/") + ("?" + where.query if where.query else "")
        connection.request(method, target, base64.b64decode(body), headers)
        found = connection.getresponse()
        return found.status, found.reason, found.getheaders(), found.read()
    finally:
        connection.close()

for line in sys.stdin:
    try:
        status, reason, headers, body = answer(**json.loads(line))
        said = {"status": status, "reason": reason, "headers": headers, "body": base64.b64encode(body).decode()}
    except Exception as error:
        said = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(said), flush=True)
"""
COMMAND = ["python", "-I", "-S", "-c", PROGRAM]


class Broken(Exception):
    """The container through which we spoke is gone, or never was one that can do it."""


class Relay:
    """The program in one container; one request at a time."""

    def __init__(self, engine: Engine, container: str) -> None:
        with said():
            started = engine.api.exec_create(container, COMMAND, stdin=True, stdout=True, stderr=True)
            self._socket = engine.api.exec_start(started["Id"], socket=True)
        # Of unix sockets the SDK gives a wrapper that reads only.
        self._raw = getattr(self._socket, "_sock", self._socket)
        self._lines = self._read()

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer as the program gave it. Raises Broken."""
        try:
            self._raw.settimeout(timeout_s + SPARE_S)
            self._raw.sendall((json.dumps(question) + "\n").encode())
            return json.loads(next(self._lines))
        except (OSError, ValueError, StopIteration) as error:
            self.close()
            raise Broken(str(error)) from None

    def close(self) -> None:
        for one in (self._raw, self._socket):
            with suppress(OSError):
                one.close()

    def _read(self) -> Iterator[bytes]:
        """Whole lines of its stdout; the engine cuts them into frames as it likes."""
        pieces: list[bytes] = []
        for stream, data in frames_iter(self._socket, tty=False):
            if stream != STDOUT:
                continue
            *whole, rest = data.split(b"\n")
            for line in whole:
                yield b"".join([*pieces, line])
                pieces = []
            pieces.append(rest)


class Inside(BaseAdapter):
    """For `requests.Session.mount`: what goes through here is sent by a container. Thread-safe.

    containers: the ids of those that may do it, the best first; asked anew when the last one is gone.
    """

    def __init__(self, engine: Engine, containers: Callable[[], list[str]]) -> None:
        super().__init__()
        self._engine, self._containers = engine, containers
        self._idle: list[Relay] = []
        self._lock = Lock()

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None,  # noqa: ARG002
        verify: Any = True, cert: Any = None, proxies: Any = None,  # noqa: ARG002
    ) -> requests.Response:  # fmt: skip
        timeout_s = float(max(timeout) if isinstance(timeout, tuple) else timeout or 30.0)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        question = {
            "method": request.method, "url": request.url, "headers": dict(request.headers),
            "body": base64.b64encode(body).decode(), "timeout": timeout_s,
        }  # fmt: skip
        answer = self._ask(question, timeout_s)
        if "error" in answer:
            kind = requests.ReadTimeout if answer["error"] == "TimeoutError" else requests.ConnectionError
            raise kind(answer["text"], request=request)
        return self._response(request, answer)

    def close(self) -> None:
        """Nothing: sessions are closed after each call, and what is open here is kept for the next one."""

    def shut(self) -> None:
        """End the programs in the containers."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        with self._lock:
            # What must not be sent twice goes through a new one.
            relay = self._idle.pop() if self._idle and question["method"] != "POST" else None
        if relay is not None:
            # What waits there may have died with its container since.
            with suppress(Broken):
                return self._through(relay, question, timeout_s)
        last: Exception | None = None
        for container in self._able():
            try:
                return self._through(Relay(self._engine, container), question, timeout_s)
            except (Broken, Refused) as error:
                last = error
        raise requests.ConnectionError(f"no container of the project can ask for us: {last or 'none runs'}")

    def _able(self) -> list[str]:
        try:
            return self._containers()
        except Refused as error:
            raise requests.ConnectionError(str(error)) from None

    def _through(self, relay: Relay, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        answer = relay.ask(question, timeout_s)
        with self._lock:
            self._idle.append(relay)
        return answer

    @staticmethod
    def _response(request: requests.PreparedRequest, answer: dict[str, Any]) -> requests.Response:
        body = base64.b64decode(answer["body"])
        headers = HTTPHeaderDict((name, value) for name, value in answer["headers"])
        raw = HTTPResponse(
            io.BytesIO(body), headers=headers, status=answer["status"], reason=answer["reason"], preload_content=False
        )
        return HTTPAdapter().build_response(request, raw)
