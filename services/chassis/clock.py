"""Clocks of several machines never agree; here is what is done about it where it matters.

Most moments need nothing: a token has a leeway, and what is only shown may be off by a second. Two things need care.
What one replica writes and another compares (when a claim ends, when an order is overdue) all read from one clock,
`Database.now()`. And a time stamp of another machine says how old something is only when the difference of the clocks
is known.
"""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MEASURE_EVERY_S = 60.0
WINDOW_S = 30.0
LONGEST_DIFFERENCE_S = 3600.0


def utc_now() -> datetime:
    """Now, by the clock of this machine."""
    return datetime.now(UTC)


class SharedClock:
    """Now, by a clock that others share. `ask` reads it, once a minute; between, our monotonic clock counts on."""

    def __init__(self, ask: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._monotonic = ask, monotonic
        self._read = (-math.inf, datetime.min.replace(tzinfo=UTC))  # when, by our clock, and what
        self._reading = threading.Lock()

    def now(self) -> datetime:
        """Raises what `ask` raises, while the clock was never read."""
        if self._monotonic() - self._read[0] > MEASURE_EVERY_S:
            with self._reading:
                if self._monotonic() - self._read[0] > MEASURE_EVERY_S:
                    before, then = self._monotonic(), self._ask()
                    self._read = ((before + self._monotonic()) / 2, then)
        read_at, then = self._read
        return then + timedelta(seconds=self._monotonic() - read_at)


class Age:
    """How old a time stamp of another machine is, whatever its clock says.

    The least that a stamp seemed to be old of late is the difference of the clocks, for some stamps come at once.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._least = self._least_before = math.inf
        self._until = -math.inf

    def of(self, stamp: float) -> float:
        """Seconds; 0 for a stamp that is no time of these days."""
        seen = self._wall() - stamp
        if not abs(seen) <= LONGEST_DIFFERENCE_S:  # not a number, either
            return 0.0
        now = self._monotonic()
        if now >= self._until:
            self._least, self._least_before, self._until = math.inf, self._least, now + WINDOW_S
        self._least = min(self._least, seen)
        return seen - min(self._least, self._least_before)
