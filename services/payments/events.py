"""Messages in: each type, and the one use case that it leads to."""

from functools import partial

from chassis.database import Database
from chassis.inbox import Handlers
from payments import usecases
from payments.usecases import Settlers


def handlers(database: Database, settlers: Settlers) -> Handlers:
    return {
        "payment.requested": partial(usecases.payment_requested, database, settlers),
        "order.cancelled": partial(usecases.order_cancelled, database, settlers),
    }
