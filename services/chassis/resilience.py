"""What keeps a failing neighbour from taking its callers with it: a budget, a breaker, a side bench.

One of each per target and process. All are thread-safe.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chassis.errors import Unavailable
from chassis.imports import import_without

# pybreaker imports redis where it is installed, to keep its state there. Ours is each process' own: 6 MB saved.
pybreaker = import_without("redis", "pybreaker")

RETRY_SHARE = 0.1


class RetryBudget:
    """Retries may add a tenth to the load of a target, not more: else they turn a slow one into a dead one.

    A bucket of tokens, as in Finagle's `RetryBudget` and the SRE book (chapter 21, "Handling Overload"). Each
    request puts in `ratio` of a token, or what `min_per_s` makes since the request before if that is more, so
    that a quiet system can retry too. A retry takes one token. No more than `burst` are saved up.
    """

    def __init__(
        self,
        ratio: float = RETRY_SHARE,
        min_per_s: float = 2.0,
        burst: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio, self._min_per_s, self._burst, self._clock = ratio, min_per_s, burst, clock
        self._lock = threading.Lock()
        self._tokens = min_per_s
        self._last = clock()

    def note_request(self) -> None:
        """A request, not a retry, is being made."""
        with self._lock:
            now = self._clock()
            self._tokens += max(self._ratio, (now - self._last) * self._min_per_s)
            self._tokens = min(self._tokens, self._burst)
            self._last = now

    def has_one(self) -> bool:
        """Whether a retry would be allowed now."""
        return self._tokens >= 1

    def take(self) -> bool:
        """Whether one more retry is allowed; if so, it is paid."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class Breaker:
    """After `fail_max` failures in a row (0: never) nobody asks the target for `reset_s` seconds; then one tries.

    Nygard, "Release It!", chapter 5. pybreaker's `calling` and not its `call`, which holds a lock while the
    call runs and so would make all calls to a target wait for each other. Its half-open state lets everybody
    through; here the others go on being refused while the one trial is under way.
    """

    def __init__(self, target: str, fail_max: int, reset_s: float) -> None:
        self._target, self._reset_s, self._off = target, reset_s, fail_max == 0
        self._trial = threading.Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=max(1, fail_max), reset_timeout=reset_s, name=target, throw_new_error_on_trip=False
        )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """An exception out of the block counts as a failure. Raises Unavailable when the breaker is open."""
        if self._off:
            yield
            return
        closed = self._breaker.current_state == pybreaker.STATE_CLOSED
        if not closed and not self._trial.acquire(blocking=False):
            raise self._refusal()
        try:
            with self._breaker.calling():
                yield
        except pybreaker.CircuitBreakerError:
            raise self._refusal() from None
        finally:
            if not closed:
                self._trial.release()

    def _refusal(self) -> "BreakerOpen":
        return BreakerOpen(f"{self._target} fails too often and is left alone", retry_after=self._reset_s)


class BreakerOpen(Unavailable):
    """The target was not asked."""


class SideBench:
    """Instances that just refused a connection sit out for `seconds`.

    A dead instance has nothing in flight and answers "no" fast, so it would attract calls until its TTL takes
    it out of the list.
    """

    def __init__(self, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, instance_id: str) -> None:
        with self._lock:
            self._until[instance_id] = self._clock() + self._seconds

    def current(self) -> set[str]:
        if not self._until:
            return set()
        with self._lock:
            now = self._clock()
            self._until = {id: until for id, until in self._until.items() if until > now}
            return set(self._until)
