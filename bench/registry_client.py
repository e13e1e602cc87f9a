"""A client of a registry that costs next to nothing itself: bare sockets, and no look into bodies.

What is measured with it is the server, so both servers are driven by the same few lines.
"""

import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")
INDEX = re.compile(rb"\r\nX-Consul-Index: (\d+)", re.IGNORECASE)
READ_BYTES = 1 << 20
PATIENCE_S = 60.0


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: registry\r\n\r\n".encode()


def put(path: str, body: bytes = b"") -> bytes:
    return f"PUT {path} HTTP/1.1\r\nHost: registry\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Line:
    """One kept connection. Raises OSError when it breaks, AssertionError for an answer that is not a 200."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin()

    def _begin(self) -> None:
        self._data = bytearray()
        self._wanted: int | None = None  # bytes of the whole answer; -1 for one in chunks

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def ask(self, request: bytes) -> bytes:
        """Send, and wait for the whole answer: its head and body as they came."""
        self.send(request)
        return self.receive()

    def receive(self) -> bytes:
        """The next whole answer."""
        while (answer := self.read()) is None:
            pass
        return answer

    def read(self) -> bytes | None:
        """What is there now; the answer once it is whole, else None."""
        data = self._data
        chunk = self.socket.recv(READ_BYTES)
        if not chunk:
            raise ConnectionResetError("the server closed the connection")
        data += chunk
        if self._wanted is None and (end := data.find(b"\r\n\r\n")) >= 0:
            assert data.startswith(b"HTTP/1.1 200 "), bytes(data[:500])
            # Consul sends a long answer in chunks, without its length.
            length = LENGTH.search(bytes(data[:end]).lower())
            self._wanted = end + 4 + int(length[1]) if length else -1
        if self._wanted is None:
            return None
        whole = data.endswith(b"\r\n0\r\n\r\n") if self._wanted < 0 else len(data) >= self._wanted
        if not whole:
            return None
        self._begin()
        return bytes(data)

    def close(self) -> None:
        self.socket.close()


class Lines:
    """Many kept connections, looked after by one loop."""

    def __init__(self, port: int, count: int) -> None:
        self._lines = [Line(port) for _ in range(count)]
        self._ready = selectors.DefaultSelector()
        for line in self._lines:
            self._ready.register(line.socket, selectors.EVENT_READ, line)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_error: Any) -> None:
        self._ready.close()
        for line in self._lines:
            line.close()

    def send(self, request: bytes) -> None:
        """The same on every connection."""
        for line in self._lines:
            line.send(request)

    def answers(self, count: int | None = None) -> Iterator[tuple[Line, bytes]]:
        """So many whole answers, or for ever, as they come. Raises AssertionError when none comes for a minute."""
        while count != 0:
            events = self._ready.select(PATIENCE_S)
            assert events, "an answer is missing"
            for key, _ in events:
                if count != 0 and (answer := key.data.read()) is not None:
                    count = count - 1 if count else None
                    yield key.data, answer

    def ask_all(self, requests: Iterable[bytes]) -> list[float]:
        """Each request once, as many at a time as there are connections; the seconds that each took."""
        left, sent, took = iter(requests), {}, []
        for line, request in zip(self._lines, left, strict=False):
            sent[line] = time.perf_counter()
            line.send(request)
        while sent:
            ((line, _),) = self.answers(1)
            took.append(time.perf_counter() - sent.pop(line))
            if request := next(left, b""):
                sent[line] = time.perf_counter()
                line.send(request)
        return took


def index_of(answer: bytes) -> int:
    """The index that the answer carries."""
    found = INDEX.search(answer[:1000])
    assert found, answer[:500]
    return int(found[1])
