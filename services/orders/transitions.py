"""The one way in which an order changes its state."""

from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from chassis.database import utc_now
from chassis.outbox import publish, withdraw
from orders.domain import FROM, Reason, State
from orders.models import Order, Transition

# The place of a state in the history; an order passes each place once.
SEQ = {State.PENDING: 0, State.RESERVED: 1, State.CONFIRMED: 2, State.CANCELLED: 2}


def advance(session: Session, order_id: str, to: State, reason: Reason | None = None) -> Order | None:
    """Move the order to `to` if its state allows that, and say so in its history.

    One conditional UPDATE on the old state: of two that race, one gets the order and the other None, in any
    number of replicas. The caller publishes what follows in the same transaction.
    """
    statement = (
        update(Order)
        .where(Order.id == order_id, Order.state.in_(FROM[to]))
        .values(state=to, reason=reason)
        .returning(Order)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    order = session.scalars(statement).one_or_none()
    if order is not None:
        row = {"order_id": order_id, "seq": SEQ[to], "state": to, "at": utc_now()}
        session.execute(insert(Transition).values(row))
    return order


def finish(session: Session, order_id: str, to: State, reason: Reason | None = None) -> bool:
    """Confirm or cancel, tell everybody, and forget the card. False when the order has ended otherwise."""
    order = advance(session, order_id, to, reason)
    if order is None:
        return False
    order.card = None
    withdraw(session, "payment.requested", order_id)  # it holds the card; payments has it, or needs it no more
    event = "order.confirmed" if to is State.CONFIRMED else "order.cancelled"
    publish(session, event, order_id, describe(order) | ({"reason": reason} if reason else {}))
    return True


def describe(order: Order) -> dict[str, Any]:
    """What the events say about an order."""
    return {
        "order_id": order.id,
        "customer_id": order.customer_id,
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "price_cents": line.price_cents} for line in order.lines
        ],
        "total_cents": order.total_cents,
        "currency": order.currency,
    }
