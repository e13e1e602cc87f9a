"""What requests queue at: places, processors, processes. Built on SimPy's events; a process waits by `yield`.

A processor is shared equally by all processes that want it (egalitarian processor sharing on c cores: with n of them
each gets min(1, c/n) of a core), as Linux does within a few milliseconds. A process runs one thread at a time, first
come, first served, because of Python's global lock; nginx has several processes.
"""

import heapq
from collections import deque
from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

Steps = Generator[Event, Any, Any]


class Lost(Exception):
    """The machine is gone, and what was under way on it."""


class Slots:
    """So many at once; others wait in line, first come, first served. places None: no limit."""

    def __init__(self, env: Environment, places: int | None) -> None:
        self._env, self._free = env, float("inf") if places is None else places
        self._line: deque[Event] = deque()

    def enter(self) -> Event | None:
        """The event to wait for, or None where there is a place at once."""
        if self._free > 0:
            self._free -= 1
            return None
        self._line.append(turn := self._env.event())
        return turn

    def leave(self) -> None:
        if self._line:
            self._line.popleft().succeed()
        else:
            self._free += 1

    def lose(self) -> None:
        """Whoever waits learns that it is in vain."""
        while self._line:
            self._line.popleft().fail(Lost())


class Host:
    """A machine with cores, which all that run share. cores may be a fraction: what others use is not there."""

    def __init__(self, env: Environment, cores: float, zone: int = 0) -> None:
        self._env, self._cores, self.zone = env, cores, zone
        self._jobs: list[tuple[float, int, Event]] = []  # (share of work at which it is done, number, event)
        self._served = self._since = 0.0  # work that each of those here has got, and until when that is counted
        self._number = self._plan = 0

    def run(self, work_s: float) -> Event:
        """The event at which so much CPU has been given."""
        self._count()
        self._number += 1
        done = self._env.event()
        heapq.heappush(self._jobs, (self._served + work_s, self._number, done))
        self._wake_at_the_next()
        return done

    def lose(self) -> None:
        jobs, self._jobs = self._jobs, []
        self._plan += 1
        for _, _, done in jobs:
            done.fail(Lost())

    @property
    def is_idle(self) -> bool:
        return not self._jobs

    def _rate(self) -> float:
        return min(1.0, self._cores / len(self._jobs))

    def _count(self) -> None:
        now = self._env.now
        self._served = self._served + (now - self._since) * self._rate() if self._jobs else 0.0
        self._since = now

    def _wake_at_the_next(self) -> None:
        self._plan += 1
        if self._jobs:
            wait_s = max(0.0, self._jobs[0][0] - self._served) / self._rate()
            self._env.timeout(wait_s, self._plan).callbacks.append(self._due)

    def _due(self, timeout: Event) -> None:
        if timeout.value != self._plan:
            return  # somebody came or went meanwhile
        self._count()
        self._served = max(self._served, self._jobs[0][0])
        while self._jobs and self._jobs[0][0] <= self._served:
            heapq.heappop(self._jobs)[2].succeed()
        self._wake_at_the_next()


class Replica:
    """One instance of a service on a host: threads, workers, and one turn at the processor for each process."""

    def __init__(
        self, env: Environment, host: Host, pools: dict[str, int | None], processes: int = 1, cold: float = 0.0
    ) -> None:
        self._env, self.host, self._places, self._processes, self._cold = env, host, pools, processes, cold
        self.inside = 0  # requests that were sent to it and have not ended, as their senders see it
        self.life = 0
        self.alive = True
        self.cpu_s = 0.0
        self._prepare()

    def _prepare(self) -> None:
        self.pools = {name: Slots(self._env, places) for name, places in self._places.items()}
        self.turns = Slots(self._env, self._processes)

    def burst(self, work_s: float) -> Steps:
        """Compute for so long, and for longer by the share `cold` where nobody else does. Raises Lost."""
        if work_s <= 0:
            return
        turns = self.turns
        if (turn := turns.enter()) is not None:
            yield turn
        if self._cold and self.host.is_idle:
            work_s *= 1 + self._cold
        try:
            yield self.host.run(work_s)
            self.cpu_s += work_s
        finally:
            turns.leave()

    def lose(self) -> None:
        """It is gone; a process that is inside learns it at once, or when what it waits for ends (`life`)."""
        self.alive = False
        self.life += 1
        for slots in (*self.pools.values(), self.turns):
            slots.lose()

    def come_back(self) -> None:
        self._prepare()
        self.alive = True
