"""Kept HTTP connections to all neighbours, shared by the threads of a process.

Not requests or urllib3: our calls know no redirects, cookies, proxies or TLS, and what these libraries do about them
takes three times as long as the request itself. Answers are read by httptools, the parser of Node.js, in a tenth of the
time that `http.client` needs (`python -m bench.cost` shows what a request is).
"""

import json as json_module
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httptools

CONNECT_TIMEOUT_S = 1.0
IDLE_KEPT = 64  # idle connections that are kept per address; more may be open at the same time
ADDRESSES_KEPT = 256
CUT_AT_ONCE_S = 0.05  # later than this the other side had begun to work, and most of the time may be gone
NETWORK_ERRORS = (OSError,)
PATH_SAFE = "/%:@!$&'()*+,;=?~"
PIECE_BYTES = 65_536

Address = tuple[str, int]


class NotConnected(OSError):
    """There was no connection, so the other side cannot have seen the request."""


class Unreadable(OSError):
    """An answer began, and is no HTTP or has no end."""


class Headers(dict[str, str]):
    """The headers of an answer, by names in any case."""

    def add(self, name: str, value: str) -> None:
        """A name that comes twice is a list (RFC 9110, section 5.3)."""
        name = name.lower()
        self[name] = f"{self[name]}, {value}" if name in self else value

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status_code: int
    headers: Mapping[str, str]  # by names in any case, if it came over the network
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
        self._idle: dict[Address, deque[_Connection]] = {}

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
                return self._exchange(kept, request, ends_at)
            except ConnectionError:
                if not (repeatable and time.monotonic() - began < CUT_AT_ONCE_S):
                    raise
        return self._exchange(_connect(address, timeout_s, self._user_agent), request, ends_at)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _exchange(self, connection: "_Connection", request: Request, ends_at: float) -> Reply:
        try:
            reply, keep = connection.exchange(request, max(0.001, ends_at - time.monotonic()))
        except BaseException:
            connection.close()
            raise
        if keep:
            self._give_back(connection)
        else:
            connection.close()
        return reply

    def _take(self, address: Address) -> "_Connection | None":
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

    def _give_back(self, connection: "_Connection") -> None:
        idle = self._idle.setdefault(connection.address, deque())
        idle.append(connection)
        if len(idle) > IDLE_KEPT:
            idle.popleft().close()
        if len(self._idle) > ADDRESSES_KEPT:  # instances come and go
            for old in self._idle.pop(next(iter(self._idle)), ()):
                old.close()


class _Connection:
    """One connection, for one request at a time."""

    def __init__(self, address: Address, sock: socket.socket, user_agent: str) -> None:
        self.address, self.sock = address, sock
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        self._same = f"Host: {host}:{address[1]}\r\nAccept-Encoding: identity\r\nUser-Agent: {user_agent}\r\n"
        self.close = sock.close

    def exchange(self, request: Request, timeout_s: float) -> tuple[Reply, bool]:
        """The answer, and whether the connection can be used again. Raises one of NETWORK_ERRORS."""
        self.sock.settimeout(timeout_s)
        self.sock.sendall(self._head(request) + (request.body or b""))
        answer = _Answer(request.method)
        try:
            while not answer.is_whole:
                answer.feed(self.sock.recv(PIECE_BYTES))
        except httptools.HttpParserError as error:
            raise Unreadable(f"this is not HTTP: {error}") from error
        except ConnectionError as error:
            if not answer.has_begun:
                raise
            raise Unreadable("the answer was cut off") from error
        return answer.reply(), answer.keeps_open

    def _head(self, request: Request) -> bytes:
        headers = "".join([f"{name}: {value}\r\n" for name, value in request.headers.items()])
        if headers.count("\n") != len(request.headers) or headers.count("\r") != len(request.headers):
            raise ValueError("a header with a line break in it")
        if request.body is not None or request.method not in ("GET", "HEAD"):
            headers += f"Content-Length: {len(request.body or b'')}\r\n"
        return f"{request.method} {request.path} HTTP/1.1\r\n{self._same}{headers}\r\n".encode("latin-1")


class _Answer:
    """Collects what the parser finds (its callbacks begin with `on_`)."""

    def __init__(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._has_body = method != "HEAD"
        self._headers, self._body = Headers(), b""
        self._headers_are_whole = False
        self.has_begun = self.is_whole = False
        self.keeps_open = False

    def feed(self, data: bytes) -> None:
        """Raises HttpParserError, and ConnectionError when the other side has closed."""
        if data:
            self.has_begun = True
            self._parser.feed_data(data)
        elif self._ends_by_closing():
            self.is_whole = True
        else:
            raise ConnectionResetError("the other side closed the connection")

    def reply(self) -> Reply:
        return Reply(self._parser.get_status_code(), self._headers, self._body)

    def _ends_by_closing(self) -> bool:
        """An answer that says no length goes on until the end of the connection (RFC 9112, section 6.3)."""
        told = "content-length" in self._headers or "transfer-encoding" in self._headers
        return self._headers_are_whole and not told

    def on_message_begin(self) -> None:
        if self.is_whole:  # another answer, to nothing
            self.keeps_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        self._headers_are_whole = True
        if not self._has_body:
            self._is_whole_now()

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:  # only a word between (RFC 9110, section 15.2)
            self._headers, self._headers_are_whole = Headers(), False
        elif not self.is_whole:
            self._is_whole_now()

    def _is_whole_now(self) -> None:
        self.is_whole = True
        self.keeps_open = self._has_body and self._parser.should_keep_alive()


def _connect(address: Address, timeout_s: float, user_agent: str) -> _Connection:
    try:
        sock = socket.create_connection(address, timeout=min(CONNECT_TIMEOUT_S, timeout_s))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, UnicodeError, OverflowError) as error:  # an instance may have registered any address
        raise NotConnected(str(error)) from error
    return _Connection(address, sock, user_agent)


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
