"""nginx tells of every attempt at an instance; so outliers are found, and tries that would double the load.

nginx sends a line by syslog, that is, one datagram on loopback, which costs it microseconds and never makes it wait:
what nobody receives is lost, and nginx goes on. The port is the number of the gateway's own, which UDP has anew. (A
Unix socket would hold back nginx's worker, or fill its error log, when its short queue is full.)
"""

import dataclasses
import re
import socket
import threading
import time
from collections.abc import Callable

from gateway.budget import TryBudget
from gateway.log import log
from gateway.outliers import Attempt, Outliers
from gateway.render import Live

TAG = "souk: "
LOOK_S = 0.1  # how often it is judged, and how soon an ejection's end is seen
REFUSED_WITHIN_S = 0.05
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

    def __init__(self, port: int, ejection_s: float, try_share: float, changed: Callable[[], None]) -> None:
        """Raises OSError when the port is taken."""
        self._changed = changed
        self._outliers, self._budget = Outliers(ejection_s), TryBudget(try_share)
        self._services: dict[str, str] = {}  # target -> service
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

    def adjust(self, live: Live) -> Live:
        """The same without outliers, but where that would leave less than half, and without tries beyond the budget."""
        services = {name: [server.target for server in servers] for name, servers in live.servers.items()}
        with self._lock:
            self._services = {target: name for name, targets in services.items() for target in targets}
            self._outliers.follow(services)
            now = time.monotonic()
            out, untried = self._outliers.ejected(now), self._budget.withdrawn(now)
        kept = {}
        for name, servers in live.servers.items():
            rest = [server for server in servers if server.target not in out]
            kept[name] = rest if 2 * len(rest) >= len(servers) else servers
        return dataclasses.replace(live, servers=kept, untried=untried)

    def _listen(self) -> None:
        before: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
        judged_at = 0.0
        while not self._stopped.is_set():
            line = self._receive()
            now = time.monotonic()
            with self._lock:
                # Answers first: they are what a failure is judged by.
                attempts = parse(line, now)
                for attempt in sorted(attempts, key=lambda attempt: not attempt.answered):
                    self._outliers.note(attempt)
                self._charge(attempts, now)
                if now < judged_at + LOOK_S:
                    continue
                judged_at = now
                reasons = self._outliers.judge(now)
                found = self._outliers.ejected(now), self._budget.withdrawn(now)
            for target, why in reasons.items():
                log("warning", "an instance is left out for a while", target=target, reason=why)
            for service in found[1] - before[1]:
                log("warning", "most tries run out: requests get one instance for their whole time", target=service)
            if found != before:
                before = found
                self._changed()

    def _charge(self, attempts: list[Attempt], now: float) -> None:
        """What the tries of one request cost. One that was refused at once has cost the instance nothing."""
        if attempts and (service := self._services.get(attempts[0].target)) is not None:
            ran_out = sum(not a.answered and a.ended_at - a.began_at > REFUSED_WITHIN_S for a in attempts)
            self._budget.note(service, ran_out, now)

    def _receive(self) -> str:
        try:
            return self._socket.recv(2048).decode("ascii", "replace")
        except TimeoutError:
            return ""
