"""Work beside requests: threads that start after the fork and stop with the worker.

`chassis.serve` starts everything in `app.extensions["souk.background"]` in the worker, never in the master
that is forked: threads do not survive a fork.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from flask import Flask

from chassis.telemetry import log

_OVER = object()


class Background(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def add_background(app: Flask, background: Background) -> None:
    """Let `serve` start and stop this with the worker."""
    app.extensions.setdefault("souk.background", []).append(background)


class Periodic:
    """Calls `work` every `interval_s` seconds, and sooner after `wake()`.

    `work` may return True to be called again at once: there is more to do. An exception is logged and the
    next round comes as usual, since a database that is away for a minute must not end the work for good.
    """

    def __init__(self, name: str, interval_s: float, work: Callable[[], object]) -> None:
        self.name, self.interval_s, self.work = name, interval_s, work
        self._changed = threading.Condition()
        self._due_at = 0.0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping, self._due_at = False, time.monotonic() + self.interval_s
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the round under way end, for five seconds at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def wake(self, within_s: float = 0.0) -> None:
        """The next round begins this soon at the latest; wakes that come meanwhile share it."""
        with self._changed:
            if (due_at := time.monotonic() + within_s) < self._due_at:
                self._due_at = due_at
                self._changed.notify()

    def _run(self) -> None:
        while self._wait_until_due():
            try:
                while not self._stopping and self.work() is True:
                    pass
            except Exception:
                log.exception("background work failed; trying again", work=self.name)

    def _wait_until_due(self) -> bool:
        with self._changed:
            while not self._stopping and (left := self._due_at - time.monotonic()) > 0:
                self._changed.wait(left)
            self._due_at = time.monotonic() + self.interval_s
            return not self._stopping


class Crew:
    """So many threads that do `work` with what they are given, first come, first served.

    A ThreadPoolExecutor makes a future of each item, and takes three locks for it; nobody here would look at one.
    """

    def __init__(self, name: str, count: int, work: Callable[[Any], object]) -> None:
        self._name, self._count, self._work = name, count, work
        self._items: SimpleQueue[Any] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def works(self) -> bool:
        """Whether it has been started, and not been stopped."""
        return bool(self._threads)

    def start(self) -> None:
        self._threads = [
            threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True)
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, item: object) -> None:
        self._items.put(item)

    def stop(self) -> None:
        """What is under way is finished; what nobody has begun is left."""
        threads, self._threads = self._threads, []
        with suppress(Empty):
            while True:
                self._items.get_nowait()
        for _ in threads:
            self._items.put(_OVER)
        for thread in threads:
            thread.join()

    def _run(self) -> None:
        while (item := self._items.get()) is not _OVER:
            try:
                self._work(item)
            except Exception:
                log.exception("background work failed", work=self._name)
