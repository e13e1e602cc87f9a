"""A value that one thread keeps fresh and others read, with those who want to hear of a change."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

FIRST_ANSWER_S = 2.0  # for so long after the first use of a name, callers wait for an answer

Value = TypeVar("Value")


class Watched(Generic[Value]):
    """Unknown (None) until the first `set`. Thread-safe."""

    def __init__(self, first_answer_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wait_until = clock() + first_answer_s
        self._value: Value | None = None
        self._known = threading.Event()
        self._listeners: list[Callable[[Value], None]] = []
        self._lock = threading.RLock()  # one change is told to all before the next one

    def get(self, wait_s: float) -> Value | None:
        """The value. Waits only while nobody knows it and the first moments after the start are not over."""
        if not self._known.is_set():
            self._known.wait(min(wait_s, max(0.0, self._wait_until - self._clock())))
        return self._value

    def set(self, value: Value) -> None:
        """Take the value, and tell the listeners if it is the first or another one."""
        with self._lock:
            if self._known.is_set() and value == self._value:
                return
            self._value = value
            self._known.set()
            for listener in self._listeners:
                _tell(listener, value)

    def add_listener(self, listener: Callable[[Value], None]) -> None:
        """Call `listener` with the value, at once if it is known, and with each other one that follows."""
        with self._lock:
            self._listeners.append(listener)
            if self._value is not None:
                _tell(listener, self._value)


class WatchedNames(Generic[Value]):
    """One value for each name; `start` begins to watch a name, at its first use. Thread-safe."""

    def __init__(self, start: Callable[[str], Watched[Value]]) -> None:
        self._start = start
        self._watched: dict[str, Watched[Value]] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Watched[Value]:
        if (watched := self._watched.get(name)) is not None:
            return watched
        with self._lock:
            if name not in self._watched:
                self._watched[name] = self._start(name)
            return self._watched[name]


def _tell(listener: Callable[[Value], None], value: Value) -> None:
    try:
        listener(value)
    except Exception:
        # A listener's mistake must not end the watch that everybody else relies on.
        log.exception("a listener failed on a change")
