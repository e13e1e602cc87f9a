"""The two ways in which we speak to a registry (ours or a Consul): a write, and a blocking query repeated.

`http.client` and not `requests`: a thread that waits in a blocking query can be stopped at once only by
shutting down its socket, and `requests` does not give it away.
"""

import http.client
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 1.0
WRITE_TIMEOUT_S = 2.0
LONGEST_WAIT_S = 60.0
MOST_BYTES = 32_000_000  # of an answer: 2,000 instances are less than two million
BACK_OFF_S = (0.1, 0.2, 0.4)  # then always the last: a registry that returns is to be noticed soon


def put(host: str, port: int, path: str, body: object = None) -> int:
    """One write on a fresh connection; the status of the answer. Raises OSError when there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=WRITE_TIMEOUT_S)
    try:
        connection.request("PUT", path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        response.read(MOST_BYTES)
        return response.status
    except http.client.HTTPException as error:
        raise OSError(f"the registry's answer makes no sense: {error!r}") from error
    finally:
        connection.close()


class BlockingQuery:
    """Asks for `path` again and again from a thread; each question waits at the registry for a change.

    on_answer(rows, doubtful): called with the decoded body (None for "no such key") after each good answer.
    doubtful: the registry was away or its index fell, so it may have restarted and know only half. Returns
    how many seconds the next question may wait. An exception counts as a bad answer, like a page of HTML, a
    5xx or a missing index: the thread backs off and asks again from the start, whatever happens.
    """

    def __init__(self, host: str, port: int, path: str, on_answer: Callable[[Any, bool], float]) -> None:
        self._path, self._on_answer = path, on_answer
        self._connection = http.client.HTTPConnection(host, port)
        self._failures = 0
        self._away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, also one that waits in a question."""
        self._stopping.set()
        if (sock := self._connection.sock) is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the connection for %s was closed already", self._path)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=CONNECT_TIMEOUT_S + 1)

    def _run(self) -> None:
        index, newest, wait_s = 0, 0, LONGEST_WAIT_S
        while not self._stopping.is_set():
            fresh = self._connection.sock is None
            asked_at = time.monotonic()
            try:
                rows, answered = self._ask(index, wait_s)
                wait_s = self._on_answer(rows, self._failures > 0 or answered < newest)
            except Exception as error:
                self._connection.close()
                index = 0  # a registry that restarted may be far behind, and would let us wait for nothing
                self._failed(error, fresh)
                continue
            self._succeeded()
            if answered == index and time.monotonic() - asked_at < min(wait_s, 1.0) / 2:
                self._stopping.wait(BACK_OFF_S[-1])  # it does not block; a busy loop would help nobody
            index, newest = (0 if answered < newest else answered), answered
        self._connection.close()

    def _ask(self, index: int, wait_s: float) -> tuple[Any, int]:
        connection = self._connection
        if connection.sock is None:
            connection.timeout = CONNECT_TIMEOUT_S
            connection.connect()
        if self._stopping.is_set():  # `stop` looked for a socket before there was one
            raise ConnectionAbortedError("stopping")
        # The registry adds up to a sixteenth of the wait, so that not all come back at the same moment.
        connection.sock.settimeout(wait_s * 17 / 16 + 5)
        joint = "&" if "?" in self._path else "?"
        connection.request("GET", f"{self._path}{joint}index={index}&wait={max(1, int(wait_s * 1000))}ms")
        response = connection.getresponse()
        if connection.sock is not None:  # the waiting is over: what begins to answer has to go on
            connection.sock.settimeout(WRITE_TIMEOUT_S)
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise ValueError(f"an answer of more than {MOST_BYTES} bytes")
        if response.status not in (200, 404):
            raise ValueError(f"status {response.status}")
        answered = response.headers.get("X-Consul-Index", "")
        if not answered.isdecimal() or int(answered) < 1:  # with 0 the next question would not wait
            raise ValueError(f"no usable index: {answered!r}")
        return (json.loads(body) if response.status == 200 else None), int(answered)

    def _failed(self, error: Exception, fresh: bool) -> None:
        self._failures += 1
        if self._stopping.is_set() or (self._failures == 1 and not fresh):
            return  # perhaps only an idle connection was closed: ask again at once, on a new one
        if not self._away:
            log.warning("the registry does not answer for %s: %r", self._path, error)
        self._away = True
        longest = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
        self._stopping.wait(random.uniform(longest / 2, longest))

    def _succeeded(self) -> None:
        if self._away:
            log.warning("the registry answers again for %s", self._path)
        self._failures, self._away = 0, False
