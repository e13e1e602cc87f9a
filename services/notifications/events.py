"""Messages in: each type, and the one use case that it leads to."""

from functools import partial

from chassis.database import Database
from chassis.inbox import Handlers
from notifications import usecases


def handlers(database: Database) -> Handlers:
    return {
        "account.registered": partial(usecases.welcome, database),
        "order.confirmed": partial(usecases.tell_confirmed, database),
        "order.cancelled": partial(usecases.tell_cancelled, database),
    }
