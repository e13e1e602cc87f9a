"""How a watcher waits: for an event that is listed under its topic, so that a change wakes those alone who watch it.

A waiting watcher is a greenlet without a timer loop of its own; thousands of them cost memory only.
"""

import random
import time
from collections.abc import Callable, Hashable

from gevent.event import Event

from registry.decoding import duration
from registry.web import Refusal, Request

DEFAULT_WAIT_S = 300.0
MAX_WAIT_S = 600.0
JITTER = 16  # the wait is lengthened by up to a sixteenth, so that watchers do not return in step


class Watches:
    """Wakes the watchers of a topic. A topic is any hashable name for something that has an index."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, dict[Event, None]] = {}  # in the order of their coming

    def wake(self, topic: Hashable) -> None:
        """Wake whoever waits for the topic. They run after the caller's change is complete."""
        for event in self._waiting.pop(topic, ()):
            event.set()

    def wait(self, topic: Hashable, moved: Callable[[], bool], seconds: float) -> None:
        """Return as soon as `moved()` holds, looked at after each wake-up, or when the time is over."""
        deadline = time.monotonic() + seconds
        # One event for each watcher and not one for all: gevent looks for other requests between two events,
        # and never between two waiters of one. So a renewal is not kept waiting by a thousand answers.
        event = Event()
        try:
            while not moved() and (left := deadline - time.monotonic()) > 0:
                event.clear()
                self._waiting.setdefault(topic, {})[event] = None
                event.wait(left)
        finally:
            self._leave(topic, event)

    def _leave(self, topic: Hashable, event: Event) -> None:
        waiting = self._waiting.get(topic, {})
        waiting.pop(event, None)
        if not waiting:
            self._waiting.pop(topic, None)

    def __len__(self) -> int:
        return len(self._waiting)


def read_wait(request: Request) -> tuple[int, float]:
    """`?index=` and `?wait=` as (index, seconds with jitter). Raises Refusal(400) for what is no number."""
    query = request.query
    index, seconds = 0, DEFAULT_WAIT_S
    if text := query.get("wait"):
        try:
            seconds = duration(text)
        except ValueError:
            raise Refusal(400, "Invalid wait time") from None
    if text := query.get("index"):
        if not (text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) < 2**64):
            raise Refusal(400, "Invalid index")
        index = int(text)
    if seconds <= 0:
        seconds = DEFAULT_WAIT_S
    seconds = min(seconds, MAX_WAIT_S)
    return index, seconds + random.uniform(0, seconds / JITTER)
