"""Messages in: each type, and the one use case that it leads to."""

from functools import partial

from carts import usecases
from chassis.database import Database
from chassis.inbox import Handlers


def handlers(database: Database) -> Handlers:
    return {"order.placed": partial(usecases.remove_ordered, database)}
