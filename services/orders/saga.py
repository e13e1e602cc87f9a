"""The life of an order after it was placed: one use case for each answer that comes back, and the deadline.

An answer that comes too late, twice or out of order finds the order in another state and changes nothing.
Giving back what was taken is the business of inventory and payments, on `order.cancelled` alone.
"""

from sqlalchemy import bindparam, select

from chassis import faults
from chassis.database import Database
from chassis.inbox import Event, first_delivery
from chassis.outbox import publish
from orders.domain import OPEN, Reason, State
from orders.schemas import AboutOrder
from orders.transitions import advance, finish, orders

BATCH = 100
_OVERDUE = (
    select(orders.c.id)
    .where(orders.c.state.in_(OPEN), orders.c.deadline < bindparam("now"))
    .order_by(orders.c.deadline)
    .limit(BATCH)
)
# Where a process can be killed on purpose (chassis.faults), beside the points of every event:
POINTS = ("deadline.found",)  # orders are overdue, none is cancelled yet


def stock_reserved(database: Database, event: Event) -> None:
    """There is stock: ask for the money."""
    order_id = AboutOrder.model_validate(event.data).order_id
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        order = advance(connection, order_id, State.RESERVED)
        if order is not None:
            request = {"order_id": order_id, "amount_cents": order["total_cents"]}
            request |= {name: order[name] for name in ("customer_id", "currency", "card")}
            publish(connection, "payment.requested", order_id, request)


def stock_rejected(database: Database, event: Event) -> None:
    """There is not enough stock: the order ends."""
    _finish(database, event, State.CANCELLED, Reason.OUT_OF_STOCK)


def payment_captured(database: Database, event: Event) -> None:
    """The money is there: the order ends well."""
    _finish(database, event, State.CONFIRMED)


def payment_declined(database: Database, event: Event) -> None:
    """The bank said no: the order ends."""
    _finish(database, event, State.CANCELLED, Reason.PAYMENT_DECLINED)


def _finish(database: Database, event: Event, to: State, reason: Reason | None = None) -> None:
    order_id = AboutOrder.model_validate(event.data).order_id
    with database.write() as connection:
        if first_delivery(connection, event):
            finish(connection, order_id, to, reason)


def cancel_overdue(database: Database) -> bool:
    """Cancel orders whose deadline has passed. True when there may be more of them."""
    with database.read() as connection:
        order_ids = connection.scalars(_OVERDUE, {"now": database.now()}).all()
    if order_ids:
        faults.point("deadline.found")
        with database.write() as connection:
            for order_id in order_ids:
                finish(connection, order_id, State.CANCELLED, Reason.DEADLINE)
    return len(order_ids) == BATCH
