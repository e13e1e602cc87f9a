"""Messages in: each type, and the one use case that it leads to."""

from functools import partial

from chassis.database import Database
from chassis.inbox import Handlers
from inventory import counting, usecases


def handlers(database: Database) -> Handlers:
    return {
        "order.placed": partial(usecases.reserve, database),
        "order.confirmed": partial(usecases.commit, database),
        "order.cancelled": partial(usecases.release, database),
        "product.changed": partial(counting.add_product, database),
    }
