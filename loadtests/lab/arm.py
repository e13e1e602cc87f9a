"""An arm while it runs: the clock of one condition, and what happens to the system in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loadtests.lab.errors import LoadBroke
from loadtests.lab.folder import Folder

NAP_S = 0.1
Event = tuple[float, str, str]  # second, kind, what


@dataclass
class Arm:
    """Seconds count from `began` (monotonic clock). runs: whether its load still does."""

    name: str
    repeat: int
    folder: Folder
    began: float
    runs: Callable[[], bool]
    events: list[Event] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.began

    def wait(self, seconds: float) -> None:
        """Let the load go on for so long. Raises LoadBroke when it ended by itself."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self.runs():
                raise LoadBroke(f"the generator ended in the middle of {self.name!r}")
            time.sleep(min(NAP_S, left))

    def wait_until(self, second: float) -> None:
        """The same up to a second of this arm."""
        self.wait(second - self.now_s)

    def event(self, kind: str, what: str = "", at_s: float | None = None) -> None:
        """Note that something happens now, or happened at a second of this arm."""
        when = self.now_s if at_s is None else at_s
        self.events.append((when, kind, what))
        self.folder.add_event(self.name, self.repeat, when, kind, what)

    @contextmanager
    def fault(self, what: str) -> Iterator[None]:
        """The block is a fault: its begin and its end become events."""
        self.event("fault_begin", what)
        try:
            yield
        finally:
            self.event("fault_end", what)

    def first(self, kind: str) -> float | None:
        """The second of the first event of this kind."""
        return next((t for t, found, _ in self.events if found == kind), None)
