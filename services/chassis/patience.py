"""gunicorn's threaded worker, whose threads never wait for a client.

gunicorn gives a connection a thread when its first byte is there, and the thread then waits for the rest, for as
long as the client likes; it closes connections in its main loop, and waits up to two seconds for each. So a few
slow clients (slowloris), on purpose or behind a bad line, would stop a whole instance. Here the main loop collects
what comes; a request gets a thread once it is whole, and gives it back once its answer is made. What the client
does not take at once, the main loop sends on. nginx does the same for those who come through the gateway.
"""

import errno
import http
import io
import json
import re
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader
from gunicorn.workers.gthread import TConn, ThreadWorker

from chassis.errors import Problem
from chassis.incoming import Incoming, Refused
from chassis.queueing import note_waiting
from chassis.settings import ChassisSettings
from chassis.telemetry import log
from chassis.trace import new_trace, parse_traceparent

PIECE_BYTES = 32_768
LINGER_S = 2.0  # for so long the end of a closed connection is awaited, so that the client reads its last answer
LOOK_EVERY_S = 0.5
STATUS = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
}
TRACEPARENT = re.compile(rb"\r\ntraceparent:([^\r\n]*)\r", re.I)
NOT_ACCEPTED = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE)


class ClientSocket(socket.socket):
    """A client's socket as a thread sees it: reading ends behind the request at hand, writing never waits."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        super().setblocking(False)
        self.unsent = b""
        self.asked: bytes | bytearray = b""  # the request at hand, as it came

    def setblocking(self, flag: bool) -> None:
        """It never blocks, whatever gunicorn asks for."""

    def settimeout(self, value: float | None) -> None:
        """The same."""

    def recv(self, *_: Any) -> bytes:
        return b""

    def sendall(self, data: bytes, *_: Any) -> None:  # type: ignore[override]
        self.unsent += data
        self.flush()

    def receive(self) -> bytes | None:
        """What has come: None when nothing has, and nothing at all when the client has closed or is gone."""
        try:
            return super().recv(PIECE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def flush(self) -> None:
        """Send what the client takes now. Raises OSError when it is gone."""
        try:
            self.unsent = self.unsent[self.send(self.unsent) :]
        except BlockingIOError:
            return


class Connection(TConn):
    """A connection with the request that is coming in, and the time until which it may wait for its client."""

    def __init__(self, worker: "PatientWorker", client: ClientSocket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self.data_ready = True  # a thread gets it with a whole request in it
        self.worker = worker
        self.incoming: Incoming | None = None
        self.queued_at = 0.0

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.worker.linger(self)
        else:
            super().close()


class PatientWorker(ThreadWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings: ChassisSettings = self.app.settings
        self.waiting: dict[Connection, None] = {}  # for their clients, oldest first
        self.looked_at = 0.0

    # ---- a request comes in

    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in NOT_ACCEPTED:
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self.enqueue_req(Connection(self, ClientSocket(accepted), address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """gunicorn has a connection for us that is new, readable, or has more behind its last request."""
        conn.incoming = incoming = Incoming(self.settings.max_body_bytes)
        if conn.parser is not None:
            incoming.data += conn.parser.unreader.take_buffered()
        if self._receive(incoming, conn):  # seldom: as a rule all of it is there
            then = partial(self._receive, incoming)
            self._wait(conn, selectors.EVENT_READ, then, self.settings.client_timeout_s)

    def _receive(self, incoming: Incoming, conn: Connection, _sock: Any = None) -> bool:
        """Take what has come; True while more has to come."""
        piece = conn.sock.receive()
        incoming.data += piece or b""
        try:
            if incoming.is_whole():
                self._hand_over(conn, incoming)
            elif piece == b"":
                self._drop(conn)
            else:
                if incoming.expects_continue():
                    conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                return True
        except Refused as refused:
            self._refuse(conn, refused.status, refused.detail)
        except OSError:
            self._drop(conn)
        return False

    def _hand_over(self, conn: Connection, incoming: Incoming) -> None:
        self._done_waiting(conn)
        conn.init()
        conn.sock.asked = asked = bytes(incoming.data)
        conn.parser.unreader.unread(asked)
        conn.incoming = None
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:
        """Runs in a thread."""
        note_waiting(time.monotonic() - conn.queued_at)
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Chunks are unpacked before the application reads: what is wrong with them is the client's error, a 400."""
        if req.body is not None and isinstance(req.body.reader, ChunkedReader):
            req.body = io.BytesIO(req.body.read())
        return super().handle_request(req, conn)

    # ---- its answer goes out

    def finish_request(self, conn: Connection, fs: Any) -> None:
        if not conn.sock.unsent:
            super().finish_request(conn, fs)
            return
        self._wait(conn, selectors.EVENT_WRITE, partial(self._send_on, fs), self.settings.client_timeout_s)

    def _send_on(self, fs: Any, conn: Connection, _sock: Any = None) -> None:
        try:
            conn.sock.flush()
        except OSError:
            self._drop(conn)
            return
        if not conn.sock.unsent:
            self._done_waiting(conn)
            super().finish_request(conn, fs)

    def handle_error(self, req: Any, client: ClientSocket, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """What is no HTTP, or an error outside the application: as problem details, like any other error."""
        if isinstance(exc, errors.ParseException) and not isinstance(exc, errors.InvalidResponseHeader):
            client.sendall(self._problem(client, STATUS.get(type(exc), 400), "this is not HTTP/1.1 as we speak it"))
        else:
            log.error("unexpected error outside the application", exc_info=exc)
            client.sendall(self._problem(client, 500, "an unexpected error; it has been logged"))

    def _refuse(self, conn: Connection, status: int, detail: str) -> None:
        """Answer before the request is whole, and read no more of it."""
        try:
            if conn.incoming is not None:
                conn.sock.asked = conn.incoming.data
            conn.sock.sendall(self._problem(conn.sock, status, detail))
        except OSError:
            self._drop(conn)
            return
        self._done_waiting(conn)
        self.nr_conns -= 1
        self.linger(conn)

    def _problem(self, client: ClientSocket, status: int, detail: str) -> bytes:
        told = TRACEPARENT.search(client.asked)
        trace_id = ((told and parse_traceparent(told[1].decode("latin-1"))) or new_trace()).trace_id
        problem = Problem(detail)
        problem.status, problem.title = status, http.HTTPStatus(status).phrase
        body = json.dumps(problem.as_dict(trace_id)).encode()
        instance = self.wsgi.extensions["souk.instance"]
        log.info("refused before it was a request", status=status, detail=detail, trace_id=trace_id, instance=instance)
        head = (
            f"HTTP/1.1 {status} {problem.title}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n"
            f"X-Served-By: {instance}\r\nX-Trace-Id: {trace_id}\r\n\r\n"
        )
        return head.encode() + body

    # ---- waiting for clients

    def linger(self, conn: Connection) -> None:
        """Say that no more is coming, and close when the client has: closed at once, it could lose the answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        self._wait(conn, selectors.EVENT_READ, self._until_closed, LINGER_S)

    def _until_closed(self, conn: Connection, _sock: Any = None) -> None:
        if conn.sock.receive() == b"":
            self._drop(conn)

    def _wait(self, conn: Connection, event: int, then: Callable[..., Any], seconds: float) -> None:
        conn.timeout = time.monotonic() + seconds
        self.waiting[conn] = None
        self.poller.register(conn.sock, event, partial(then, conn))

    def _done_waiting(self, conn: Connection) -> None:
        if conn in self.waiting:
            self.poller.unregister(conn.sock)
            del self.waiting[conn]

    def _drop(self, conn: Connection) -> None:
        self._done_waiting(conn)
        self.nr_conns -= 1
        conn.close()

    def _make_room(self) -> None:
        """Whoever has waited for its client longest goes, as in nginx: nobody can take all connections for good."""
        if self.waiting:
            self._drop(next(iter(self.waiting)))
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()

    def murder_pending(self) -> None:
        """gunicorn's main loop asks for this again and again."""
        now = time.monotonic()
        if now < self.looked_at + LOOK_EVERY_S:
            return
        self.looked_at = now
        for conn in [conn for conn in self.waiting if conn.timeout <= now]:
            if conn.incoming is not None and conn.incoming.data:
                self._refuse(conn, 408, f"the request was not whole within {self.settings.client_timeout_s:g} s")
            else:
                self._drop(conn)
