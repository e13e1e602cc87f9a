"""No more orders are taken than the shop can settle soon.

An order is answered long before its work is done: stock, payment and messages follow by events. Under too much load
that work would pile up out of sight, and take the time of those who come later. By Little's law a bound on the orders
under way is a bound on how long they take: at 20 orders a second, 200 are 10 s, a third of their deadline.
"""

import threading
import time
from collections.abc import Callable

from sqlalchemy import func, select

from chassis.database import Database
from chassis.errors import Unavailable
from orders.domain import OPEN
from orders.models import Order

LOOK_EVERY_S = 0.2
RETRY_AFTER_S = 2.0


class Admission:
    """Knows how many orders are under way in all replicas, a moment ago. Thread-safe."""

    def __init__(self, database: Database, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._most, self._clock = database, most, clock
        self._lock = threading.Lock()
        self._looked_at, self._open = float("-inf"), 0

    def check(self) -> None:
        """Raises Unavailable, with the time to come again, when too many orders are under way."""
        # Who finds another thread looking goes by what was known before.
        if self._clock() - self._looked_at >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._open = self._count()
                self._looked_at = self._clock()
            finally:
                self._lock.release()
        if self._open >= self._most:
            raise Unavailable("too many orders are under way; try again", retry_after=RETRY_AFTER_S)

    def _count(self) -> int:
        """Orders that have not ended; counts no further than it has to."""
        some = select(Order.id).where(Order.state.in_(OPEN)).limit(self._most).subquery()
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(some)) or 0
