"""Messages in: each type, and the one use case that it leads to."""

from collections.abc import Callable
from functools import partial

from chassis.database import Database
from chassis.inbox import Handlers
from payments import usecases


def handlers(database: Database, wake: Callable[[], None]) -> Handlers:
    return {
        "payment.requested": partial(usecases.payment_requested, database, wake),
        "order.cancelled": partial(usecases.order_cancelled, database, wake),
    }
