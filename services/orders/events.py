"""Messages in: each type, and the one use case that it leads to."""

from functools import partial

from chassis.database import Database
from chassis.inbox import Handlers
from orders import saga


def handlers(database: Database) -> Handlers:
    return {
        "stock.reserved": partial(saga.stock_reserved, database),
        "stock.rejected": partial(saga.stock_rejected, database),
        "payment.captured": partial(saga.payment_captured, database),
        "payment.declined": partial(saga.payment_declined, database),
    }
