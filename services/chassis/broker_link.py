"""One connection to the broker, and the thread that alone uses it: kombu's connections are not to be shared.

The thread waits for the network and for `wake()` at once, so nobody who hands it work waits for the network. It
reconnects for ever, with a capped back-off, and notices by heartbeats when the other side is gone without a word.
"""

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from kombu import Connection
from kombu.transport import pyamqp

from chassis.telemetry import log

HEARTBEAT_S = 3  # twice this long without a word, and the connection is dead. RabbitMQ advises 5 s, lest a slow network
# looks dead; here that would cost a reconnection and some repetitions, and a dead one that is not noticed costs orders
CONNECT_S = 2.0
STUCK_S = 3.0  # what was sent must have been taken by the other machine
ANSWER_S = 5.0  # to make a queue, say
LOOK_EVERY_S = 1.0  # heartbeats want to be looked after so often
MAX_BACK_OFF_S = 2.0

Channel = Any  # amqp.Channel, which has no types


class BrokerGone(Exception):
    """The connection is of no use any more, for this reason; a new one is made."""


def _readable(*sockets: socket.socket, within_s: float = 0.0) -> bool:
    poll = select.poll()  # select() takes no file numbers above 1023
    for each in sockets:
        poll.register(each, select.POLLIN)
    return bool(poll.poll(max(0.0, within_s) * 1000))


class Link:
    """All callbacks run in the link's thread.

    opened: a new connection, with its channel. work: something was handed over, or time has passed; returns after how
    many seconds it wants to be called again at the latest. lost: the connection is gone; nothing that was asked of it
    and not answered is certain.
    """

    def __init__(
        self, name: str, url: str, opened: Callable[[Channel], None], work: Callable[[], float],
        lost: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.name, self.url = name, url
        self._opened, self._work, self._lost = opened, work, lost
        self.up = False
        self.blocked = False  # the broker is short of memory or disk, and takes nothing now
        self.free_since = 0.0  # when that ended, on the monotonic clock
        self._stopping = threading.Event()
        self._wakes: socket.socket | None = None
        self._waker: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._told = ""

    def start(self) -> None:
        self._stopping.clear()
        self._wakes, self._waker = socket.socketpair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"broker-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout=STUCK_S + ANSWER_S)
        for each in (self._wakes, self._waker):
            if each is not None:
                each.close()

    def wake(self) -> None:
        if self._waker is not None:
            with suppress(OSError):  # it is full of wakes already, or this is over
                self._waker.send(b"w")

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            connection = None
            try:
                connection = connect(self.url, on_blocked=self._block, on_unblocked=self._unblock)
                self._opened(connection.channel())
                self._note_up()
                failures = 0
                while not self._stopping.is_set():
                    self._wait(connection, self._work())
                connection.close()
            except Exception as error:
                self._note_down(error)
                failures += 1
                if connection is not None:
                    connection.collect()  # without the farewell: the other side may be gone
            self.up = self.blocked = False
            self._lost(self._told or "the connection was closed")
            self._stopping.wait(min(MAX_BACK_OFF_S, 0.1 * 2 ** min(failures, 6)) if failures else 0)

    def _wait(self, connection: Any, seconds: float) -> None:
        assert self._wakes is not None
        if _readable(self._wakes, connection.sock, within_s=min(seconds, LOOK_EVERY_S)):
            with suppress(BlockingIOError):
                self._wakes.recv(4096)
        while _readable(connection.sock):
            with suppress(TimeoutError):  # half a frame; it goes on where it was
                connection.blocking_read(LOOK_EVERY_S)  # one frame, for drain_events goes on waiting after a heartbeat
        connection.heartbeat_tick()

    def _block(self, *_reason: object) -> None:
        self.blocked = True
        log.warning("the broker takes nothing: it is short of memory or disk", link=self.name)

    def _unblock(self) -> None:
        self.blocked, self.free_since = False, time.monotonic()
        log.info("the broker takes messages again", link=self.name)
        self.wake()

    def _note_up(self) -> None:
        self.up = True
        log.info("connected to the broker", link=self.name, broker=urlsplit(self.url).hostname)
        self._told = ""

    def _note_down(self, error: Exception) -> None:
        """One line when it begins, and one for each new reason."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self._told:
            log.warning("the broker is away; trying for ever", link=self.name, broker=where(self.url), error=reason)
            self._told = reason


class _Amqp(pyamqp.Connection):
    def connect(self, callback: Any = None) -> Any:
        """One that is refused leaves no socket behind, as it does in py-amqp."""
        try:
            return super().connect(callback)
        except Exception:
            self.collect()
            raise


class _Transport(pyamqp.Transport):
    Connection = _Amqp


def where(url: str) -> str:
    """host:port of the URL, for people: without the password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5672}{parts.path}"


def connect(url: str, **callbacks: Callable[..., None]) -> Any:
    """A new connection: py-amqp's, for kombu's own would quietly become another one when it is lost.

    Raises OSError, or amqp.AMQPError for a refusal.
    """
    options = {
        "write_timeout": STUCK_S,
        "read_timeout": ANSWER_S,
        "socket_settings": {socket.TCP_USER_TIMEOUT: int(STUCK_S * 1000)},
    }
    connection = Connection(
        url, transport=_Transport, heartbeat=HEARTBEAT_S, connect_timeout=CONNECT_S,
        transport_options=options | callbacks,
    ).connect()  # fmt: skip
    # py-amqp would look for "blocked" before each message, without waiting, and spin if it found half a frame.
    # Whoever uses the connection reads it anyway.
    connection.client_properties = {}
    return connection
