"""Kills a replica that no longer answers, so that it is replaced.

Every replica is asked `GET /healthz`; any HTTP answer counts. The checks run in the supervisor's own event
loop: no thread, and when the loop itself was late, on a busy machine, what failed meanwhile does not count.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum

from deploy.local.processes import groups, has_accepted, listening_port, signal_group
from deploy.local.replica import Replica
from deploy.local.settings import Settings

logger = logging.getLogger("souk.liveness")
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CHECKS_PER_WINDOW = 4
FEWEST_FAILURES = 3
PATIENCE_S = 5.0  # with one that took the connection: twice as long as a request may wait there (SHED_AFTER_MS)


class Found(Enum):
    """What one check has seen."""

    ANSWER = "answered"
    BUSY = "took the connection and did not answer"
    REFUSED = "refused the connection"
    SILENT = "did not take the connection"
    NEVER = "has not answered once since its start"


@dataclass
class Record:
    """What is known of one process. Times are monotonic, in seconds."""

    pid: int
    seen: float
    answered: float | None = None
    since: dict[Found, float] = field(default_factory=dict)
    failures: dict[Found, int] = field(default_factory=dict)

    def clear(self) -> None:
        self.since.clear()
        self.failures.clear()

    def note(self, found: Found, began: float) -> None:
        """Count a check that began at `began`. A better sign wipes out the worse ones before it."""
        if found is Found.ANSWER:
            self.answered = max(began, self.answered or began)
            self.clear()
            return
        if self.answered is not None and began <= self.answered:
            # A later check has been answered already.
            return
        if found is not Found.SILENT:
            self.since.pop(Found.SILENT, None)
            self.failures.pop(Found.SILENT, None)
        self.since[found] = min(began, self.since.get(found, began))
        self.failures[found] = self.failures.get(found, 0) + 1


def verdict(record: Record, now: float, window_s: float, busy_s: float, start_s: float) -> Found | None:
    """Why the process is to be killed now, or None.

    Silent for the window: it is stopped or dead-locked. Busy (all threads are taken) or refusing (it is
    taking its leave) is no death, but may not last longer than `busy_s`, in which any request and any drain
    ends.
    """
    if record.answered is None:
        return Found.NEVER if now - record.seen > start_s else None
    for found, limit in ((Found.SILENT, window_s), (Found.BUSY, busy_s), (Found.REFUSED, busy_s)):
        enough = record.failures.get(found, 0) >= FEWEST_FAILURES
        if enough and now - record.since[found] >= limit:
            return found
    return None


class Liveness:
    """The checks of all replicas. `LIVENESS_S` = 0 finds their ports and kills nobody."""

    def __init__(self, settings: Settings, replicas: Callable[[], list[Replica]]) -> None:
        self.settings = settings
        self.replicas = replicas
        self.window_s = settings.liveness_s
        self.every_s = (self.window_s or 2.0) / CHECKS_PER_WINDOW
        self.records: dict[str, Record] = {}
        self.tasks: set[asyncio.Task] = set()

    def start(self) -> None:
        """Begin, on the event loop that runs."""
        self._spawn(self._rounds())

    def _spawn(self, work: Coroutine) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _rounds(self) -> None:
        due = time.monotonic()
        while True:
            late = time.monotonic() - due > self.every_s / 2
            try:
                self._round(late)
            except Exception:
                # The checks must go on; a process that has just ended is the usual reason.
                logger.exception("a round of liveness checks failed")
            due = time.monotonic() + self.every_s
            await asyncio.sleep(self.every_s)

    def _round(self, late: bool) -> None:
        running = {r.name: r for r in self.replicas() if r.pid and r.is_active() and not r.retired}
        self.records = {name: record for name, record in self.records.items() if name in running}
        self._find_ports([r for r in running.values() if r.port is None])
        for name, replica in running.items():
            record = self.records.get(name)
            if record is None or record.pid != replica.pid:
                record = self.records[name] = Record(replica.pid or 0, time.monotonic())
            if late:
                record.clear()
            self._judge(replica, record)
            if replica.port and self.window_s:
                self._spawn(self._check(replica, record, replica.port))

    def _find_ports(self, replicas: list[Replica]) -> None:
        searched = {replica.pid: replica for replica in replicas if replica.pid}
        for pid, members in groups(searched).items() if searched else ():
            searched[pid].port = listening_port(members)

    def _judge(self, replica: Replica, record: Record) -> None:
        if not self.window_s:
            return
        limits = (self.window_s, self.settings.liveness_busy_s, self.settings.start_timeout_s)
        why = verdict(record, time.monotonic(), *limits)
        if why:
            logger.warning("%s (pid %d) %s: killed", replica.name, record.pid, why.value)
            self.records.pop(replica.name)
            signal_group(record.pid, signal.SIGKILL)

    async def _check(self, replica: Replica, record: Record, port: int) -> None:
        began = time.monotonic()
        found = await probe(port, record.pid, self.window_s / 2, PATIENCE_S)
        limit_s = self.window_s if found is Found.SILENT else self.window_s + PATIENCE_S
        if time.monotonic() - began > limit_s:
            # Our own loop was late: this says nothing about the replica.
            record.clear()
        elif replica.pid == record.pid:
            record.note(found, began)


async def probe(port: int, leader: int, timeout_s: float, patience_s: float = 0.0) -> Found:
    """Ask one process once. patience_s: how much longer an answer may take of one that has taken the connection.

    The question waits in the same queue as the customers. So one that has too much to do answers late, and lives.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except TimeoutError:
        return Found.SILENT
    except OSError:
        return Found.REFUSED
    try:
        writer.write(REQUEST)
        if (found := await _answer(reader, timeout_s)) is not None:
            return found
        own_port = writer.get_extra_info("sockname")[1]
        if not has_accepted(groups([leader])[leader], own_port):
            return Found.SILENT
        return await _answer(reader, patience_s) or Found.BUSY
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, timeout_s: float) -> Found | None:
    """What it says; None if nothing came in time."""
    try:
        async with asyncio.timeout(timeout_s):
            return Found.ANSWER if (await reader.read(5)) == b"HTTP/" else Found.REFUSED
    except TimeoutError:
        return None
    except OSError:
        return Found.REFUSED
