"""Kept HTTP connections to all neighbours, shared by the threads of a process.

`http.client` and not requests or urllib3: our calls know no redirects, cookies, proxies or TLS, and what these
libraries do about them takes three times as long as the request itself (`python -m bench.cost` shows what it is).
"""

import http.client
import json as json_module
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode

CONNECT_TIMEOUT_S = 1.0
IDLE_KEPT = 64  # idle connections that are kept per address; more may be open at the same time
ADDRESSES_KEPT = 256
CUT_AT_ONCE_S = 0.05  # later than this the other side had begun to work, and most of the time may be gone
NETWORK_ERRORS = (OSError, http.client.HTTPException)
PATH_SAFE = "/%:@!$&'()*+,;=?~"

Address = tuple[str, int]


class NotConnected(OSError):
    """There was no connection, so the other side cannot have seen the request."""


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status_code: int
    headers: Message | Mapping[str, str]  # by names in any case, if it came over the network
    content: bytes = b""

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Raises ValueError."""
        return json_module.loads(self.content)


@dataclass(frozen=True)
class Request:
    """What is asked. `path` with its query; the body is complete."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


def make_request(
    method: str, path: str, headers: Mapping[str, str], params: Any = None, json: Any = None, data: Any = None
) -> Request:
    """params: a dictionary or a list of pairs; a value may be a list. json or data: the body."""
    path = quote(path, safe=PATH_SAFE)
    if params:
        path += "?" + urlencode(params, doseq=True)
    if json is not None:
        headers = {"Content-Type": "application/json", **headers}
        return Request(method, path, headers, json_module.dumps(json, allow_nan=False).encode())
    return Request(method, path, headers, data.encode() if isinstance(data, str) else data)


class Connections:
    """Sends one request to one address. Thread-safe; opens nothing before its first use, so it may be forked."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._idle: dict[Address, deque[http.client.HTTPConnection]] = {}

    def send(self, address: Address, request: Request, *, timeout_s: float, repeatable: bool) -> Reply:
        """The answer, whatever its status. Raises one of NETWORK_ERRORS.

        timeout_s bounds connecting and waiting for the answer together (each wait for a piece of a long
        answer anew). A kept connection that the other side closed just now fails before a byte of an answer; if
        `repeatable`, the request goes out again on a fresh one, since that says nothing about how the other side is.
        """
        ends_at = time.monotonic() + timeout_s
        kept = self._take(address)
        if kept is not None:
            began = time.monotonic()
            try:
                return self._exchange(address, kept, request, ends_at)
            except ConnectionError:
                if not (repeatable and time.monotonic() - began < CUT_AT_ONCE_S):
                    raise
        return self._exchange(address, _connect(address, timeout_s), request, ends_at)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _exchange(
        self, address: Address, connection: http.client.HTTPConnection, request: Request, ends_at: float
    ) -> Reply:
        try:
            connection.sock.settimeout(max(0.001, ends_at - time.monotonic()))
            headers = {"User-Agent": self._user_agent, **request.headers}
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            raise
        self._give_back(address, connection)
        return reply

    def _take(self, address: Address) -> http.client.HTTPConnection | None:
        """A kept connection that the other side has not closed, the last used first."""
        idle = self._idle.get(address)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread took the last one
                return None
            if not _is_readable(connection.sock):
                return connection
            connection.close()
        return None

    def _give_back(self, address: Address, connection: http.client.HTTPConnection) -> None:
        if connection.sock is None:  # the answer said that it is the last one
            return
        idle = self._idle.setdefault(address, deque())
        idle.append(connection)
        if len(idle) > IDLE_KEPT:
            idle.popleft().close()
        if len(self._idle) > ADDRESSES_KEPT:  # instances come and go
            for old in self._idle.pop(next(iter(self._idle)), ()):
                old.close()


def _connect(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(*address, timeout=min(CONNECT_TIMEOUT_S, timeout_s))
    try:
        connection.connect()
    except (OSError, UnicodeError, OverflowError) as error:  # an instance may have registered any address
        raise NotConnected(str(error)) from error
    return connection


def _is_readable(sock: socket.socket) -> bool:
    """Nobody speaks without being asked, so something to read on an idle connection is its end."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def was_never_sent(error: BaseException | None) -> bool:
    """True if there was no connection, so that the other side cannot have seen the request."""
    return isinstance(error, NotConnected)


def is_timeout(error: BaseException) -> bool:
    """True if the answer did not come, or did not end, in time."""
    return isinstance(error, TimeoutError)
