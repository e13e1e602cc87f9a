"""How busy and how slow each instance is, as this process sees it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ALIKE_S = 0.02  # two instances that both answer faster than this differ by chance
FADES_S = 10.0  # after this time a third is left of what was measured, so that a slow one is tried again
RISES = 1 / 2  # of the difference, at each answer that is slower than what was expected
REMEMBERED = 1_000


@dataclass
class _Instance:
    under_way: int = 0
    seconds: float = 0.0
    measured_at: float = 0.0


class Load:
    """By instance id: requests under way, and an average of how long the last ones took.

    The average rises fast and falls slowly, as in Finagle's "peak EWMA" load metric: a slow instance is noticed after
    a few answers, and not trusted again after one good one. What lies below ALIKE_S is not told apart, so that
    healthy instances share the work evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Instance] = {}

    def of(self, instance_id: str) -> float:
        """What one more request there has to expect: seconds, for all that are before it and itself."""
        known = self._known.get(instance_id)
        return ALIKE_S if known is None else (known.under_way + 1) * max(ALIKE_S, self._seconds(known, self._clock()))

    @contextmanager
    def counting(self, instance_id: str) -> Iterator[None]:
        """Counts one request for the duration of the block, and how long that was."""
        began = self._clock()
        with self._lock:
            self._forget()
            instance = self._known.setdefault(instance_id, _Instance())
            instance.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                instance.under_way -= 1
                self._measured(instance, self._clock(), began)

    def _measured(self, instance: _Instance, now: float, began: float) -> None:
        expected, seconds = self._seconds(instance, now), now - began
        share = RISES if seconds > expected else 0.0  # it falls by fading alone
        instance.seconds, instance.measured_at = expected + share * (seconds - expected), now

    def _seconds(self, instance: _Instance, now: float) -> float:
        return instance.seconds * math.exp((instance.measured_at - now) / FADES_S)

    def _forget(self) -> None:
        if len(self._known) > REMEMBERED:  # instances come and go; this must not grow for ever
            self._known = {id: known for id, known in self._known.items() if known.under_way}
