"""nginx tells of every attempt at an instance, and the outliers among the instances are found.

nginx sends a line by syslog, that is, one datagram on loopback, which costs it microseconds and never makes it wait:
what nobody receives is lost, and nginx goes on. The port is the number of the gateway's own, which UDP has anew. (A
Unix socket would hold back nginx's worker, or fill its error log, when its short queue is full.)
"""

import dataclasses
import re
import socket
import threading
import time
from collections.abc import Callable, Collection

from gateway.log import log
from gateway.outliers import Attempt, Outliers
from gateway.render import Live

TAG = "souk: "
LOOK_S = 0.1  # how often it is judged, and how soon an ejection's end is seen
NO_ANSWER = ("502", "504")
READS = ("GET", "HEAD")
_SEPARATOR = re.compile(", | : ")  # between the instances of one attempt, and before another location took over


def parse(line: str, now: float) -> list[Attempt]:
    """The attempts of a request that has just ended, in their order. What makes no sense is left out."""
    method, *columns = line.partition(TAG)[2].split(";")
    if len(columns) != 3:
        return []
    rows = list(zip(*map(_SEPARATOR.split, columns), strict=False))
    ended_at, found = now, []
    for target, seconds, status in reversed(rows):
        if not re.fullmatch("[0-9.]+", seconds):
            break
        began_at = ended_at - float(seconds)
        # A client that went away leaves "-" for the status, and nothing was found out about the instance.
        if status.isdecimal():
            found.append(Attempt(target, method in READS, began_at, ended_at, status not in NO_ANSWER))
        ended_at = began_at
    return found[::-1]


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind(("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    made.settimeout(LOOK_S)
    return made


class Attempts:
    """Listens in a thread of its own. changed: called from it when the set of those left out has changed."""

    def __init__(self, port: int, ejection_s: float, changed: Callable[[], None]) -> None:
        """Raises OSError when the port is taken."""
        self._changed = changed
        self._outliers = Outliers(ejection_s)
        self._lock = threading.Lock()
        self._socket = _bound(port)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="attempts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def without_outliers(self, live: Live) -> Live:
        """The same without those that are left out now, but where that would leave less than half."""
        with self._lock:
            self._outliers.follow({name: [s.target for s in servers] for name, servers in live.servers.items()})
            out = self._outliers.ejected(time.monotonic())
        kept = {}
        for name, servers in live.servers.items():
            rest = [server for server in servers if server.target not in out]
            kept[name] = rest if 2 * len(rest) >= len(servers) else servers
        return dataclasses.replace(live, servers=kept)

    def _listen(self) -> None:
        before: Collection[str] = frozenset()
        judged_at = 0.0
        while not self._stopped.is_set():
            line = self._receive()
            now = time.monotonic()
            with self._lock:
                # Answers first: they are what a failure is judged by.
                for attempt in sorted(parse(line, now), key=lambda attempt: not attempt.answered):
                    self._outliers.note(attempt)
                if now < judged_at + LOOK_S:
                    continue
                judged_at = now
                reasons = self._outliers.judge(now)
                out = self._outliers.ejected(now)
            for target, why in reasons.items():
                log("warning", "an instance is left out for a while", target=target, reason=why)
            if out != before:
                before = out
                self._changed()

    def _receive(self) -> str:
        try:
            return self._socket.recv(2048).decode("ascii", "replace")
        except TimeoutError:
            return ""
