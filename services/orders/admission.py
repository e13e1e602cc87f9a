"""No more orders are taken than the shop can settle soon.

An order is answered long before its work is done: stock, payment and messages follow by events. Under too much load
that work would pile up out of sight, and take the time of those who come later. By Little's law a bound on the orders
under way is a bound on how long they take: at 20 orders a second, 200 are 10 s, a third of their deadline.
"""

import threading
import time
from collections.abc import Callable

from sqlalchemy import Integer, bindparam, func, or_, select

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.prepared import Prepared
from orders.domain import OPEN
from orders.models import Order

LOOK_EVERY_S = 0.2
RETRY_AFTER_S = 2.0

_state = Order.__table__.c.state
_some = select(_state).where(or_(*(_state == state for state in OPEN))).limit(bindparam("most", type_=Integer))
_COUNT = Prepared(select(func.count().label("open")).select_from(_some.subquery()))


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
        with self._database.look() as connection:
            (row,) = _COUNT.rows(connection, {"most": self._most})
        return int(row["open"])
