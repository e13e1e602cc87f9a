"""How long a request waited in this process for a free thread.

gunicorn's threads take requests from a queue without a bound, and do not say how long one lay in it. Without that
an overloaded instance works through requests whose callers have long given up, and answers nobody in time.
"""

from contextvars import ContextVar

_waited_s: ContextVar[float] = ContextVar("waited", default=0.0)


def waited_s() -> float:
    """Seconds that the request at hand spent in the queue; 0 outside gunicorn."""
    return _waited_s.get()


def note_waiting(seconds: float) -> None:
    """The request that this thread takes now spent so long in the queue."""
    _waited_s.set(seconds)
