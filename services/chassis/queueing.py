"""How long a request waited in this process for a free thread.

gunicorn's threads take requests from a queue without a bound, and do not say how long one lay in it. Without that
an overloaded instance works through requests whose callers have long given up, and answers nobody in time.
"""

import time
from contextvars import ContextVar
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_waited_s: ContextVar[float] = ContextVar("waited", default=0.0)


def waited_s() -> float:
    """Seconds that the request at hand spent in the queue; 0 outside gunicorn."""
    return _waited_s.get()


class QueueTimingWorker(ThreadWorker):
    """gunicorn's threaded worker with a note of when each request came."""

    def enqueue_req(self, conn: Any) -> None:
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        _waited_s.set(time.monotonic() - conn.queued_at)
        return super().handle(conn)
