"""How much time is left for the work under way, carried by the context and not by every function's arguments.

A budget comes in as milliseconds and becomes a point on this process's monotonic clock, because no clock of
another machine can be trusted for durations. `chassis.calls` hands on what is left.
"""

import time
from contextvars import ContextVar

from chassis.errors import DeadlinePassed

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_deadline(budget_ms: float | None) -> None:
    """The work of this context has this long from now; None takes the limit away."""
    _ends_at.set(None if budget_ms is None else time.monotonic() + budget_ms / 1000)


def at_most_s(seconds: float) -> float:
    """How long to wait for something: `seconds`, or what is left if that is less; zero when it is over."""
    ends_at = _ends_at.get()
    return seconds if ends_at is None else max(0.0, min(seconds, ends_at - time.monotonic()))


def remaining_s() -> float | None:
    """Seconds that are left, above zero; None without a limit. Raises DeadlinePassed when it is over."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return None
    left = ends_at - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("the time for this request is over")
    return left
