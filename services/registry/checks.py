"""Who turns critical when: TTLs that run out, polls of HTTP and TCP, and the removal of what stays critical.

A renewal costs no timer: it moves the check's deadline, and the heap's entry for the check notices that
when it comes up and goes back in at the new time.
"""

import heapq
import logging
import random
import time
from collections.abc import Callable
from itertools import count

import gevent
from gevent.event import Event

from registry.probes import probe
from registry.records import Check
from registry.store import Store

MIN_POLL_S = 1.0
MIN_REMOVAL_S = 60.0
REMOVAL_LOOK_S = 30.0

log = logging.getLogger("registry.checks")


class Checker:
    """Greenlets start with `start()`; the clock is monotonic seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._deadlines: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._queued: dict[str, float] = {}  # when the heap looks at the check next
        self._tie = count()
        self._earlier = Event()
        self._polls: dict[str, gevent.Greenlet] = {}

    def start(self, remove: Callable[[str], None]) -> None:
        """Run from now on; `remove(service_id)` is called for instances that stay critical too long."""
        gevent.spawn(self._expire_for_ever)
        gevent.spawn(self._remove_for_ever, remove)

    def watch(self, check: Check) -> None:
        """Begin, or begin anew with the check's present definition."""
        self.forget(check.id)
        if check.kind == "ttl":
            self._arm(check)
        elif check.kind in ("http", "tcp"):
            self._polls[check.id] = gevent.spawn(self._poll, check)

    def forget(self, check_id: str) -> None:
        self._deadlines.pop(check_id, None)
        if poll := self._polls.pop(check_id, None):
            poll.kill(block=False)

    def renew(self, check: Check, status: str, output: str) -> None:
        """A TTL check reports its status; its clock starts again."""
        self._arm(check)
        self.report(check, status, output)

    def report(self, check: Check, status: str, output: str) -> None:
        before = check.status
        if status != "critical":
            check.critical_since = None
        elif check.critical_since is None:
            check.critical_since = self._clock()
        if self._store.set_status(check, status, output):
            log.info("check %s: %s -> %s", check.id, before, status)

    def expire(self) -> float:
        """Turn critical what has not been renewed in time; the seconds until the next look."""
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            at, _, check_id = heapq.heappop(self._heap)
            if self._queued.get(check_id) != at:
                continue
            del self._queued[check_id]
            deadline = self._deadlines.get(check_id)
            if deadline is not None and deadline > now:
                self._queue(check_id, deadline)
            elif deadline is not None:
                del self._deadlines[check_id]
                check = self._store.checks[check_id]
                self.report(check, "critical", expired_output(check))
        return self._heap[0][0] - now if self._heap else 3600.0

    def overdue(self) -> list[str]:
        """The instances (ids) with a check that has been critical for as long as it allows."""
        now = self._clock()
        found = []
        for check in self._store.checks.values():
            after = check.definition.deregister_after
            since = check.critical_since
            if after and since is not None and now - since >= max(after, MIN_REMOVAL_S):
                found.append(check.service_id)
        return found

    def _arm(self, check: Check) -> None:
        deadline = self._deadlines[check.id] = self._clock() + check.definition.ttl
        if deadline < self._queued.get(check.id, float("inf")):
            self._queue(check.id, deadline)

    def _queue(self, check_id: str, at: float) -> None:
        self._queued[check_id] = at
        heapq.heappush(self._heap, (at, next(self._tie), check_id))
        if self._heap[0][2] == check_id:
            self._earlier.set()

    def _expire_for_ever(self) -> None:
        while True:
            self._earlier.clear()
            self._earlier.wait(max(self.expire(), 0.001))

    def _remove_for_ever(self, remove: Callable[[str], None]) -> None:
        while True:
            gevent.sleep(REMOVAL_LOOK_S)
            for service_id in self.overdue():
                log.warning("instance %s stayed critical and is removed", service_id)
                remove(service_id)

    def _poll(self, check: Check) -> None:
        """Kept apart by a random first pause, so that polls of many instances do not come in step."""
        interval = max(check.definition.interval, MIN_POLL_S)
        gevent.sleep(random.uniform(0, interval))
        while True:
            result = probe(check.definition)
            if self._polls.get(check.id) is not gevent.getcurrent():
                return
            self.report(check, *result)
            gevent.sleep(interval)


def expired_output(check: Check) -> str:
    if not check.output:
        return "TTL expired"
    return f"TTL expired (last output before timeout follows): {check.output}"
