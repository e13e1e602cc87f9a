"""Work beside requests: threads that start after the fork and stop with the worker.

`chassis.serve` starts everything in `app.extensions["souk.background"]` in the worker, never in the master
that is forked: threads do not survive a fork.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from flask import Flask

from chassis.telemetry import log


class Background(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def add_background(app: Flask, background: Background) -> None:
    """Let `serve` start and stop this with the worker."""
    app.extensions.setdefault("souk.background", []).append(background)


class Periodic:
    """Calls `work` every `interval_s` seconds, and at once after `wake()`.

    `work` may return True to be called again at once: there is more to do. An exception is logged and the
    next round comes as usual, since a database that is away for a minute must not end the work for good.
    """

    def __init__(self, name: str, interval_s: float, work: Callable[[], object]) -> None:
        self.name, self.interval_s, self.work = name, interval_s, work
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the round under way end, for five seconds at most."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def wake(self) -> None:
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self.interval_s)
            self._wake.clear()
            try:
                while not self._stopping and self.work() is True:
                    pass
            except Exception:
                log.exception("background work failed; trying again", work=self.name)
                threading.Event().wait(min(1.0, self.interval_s))
