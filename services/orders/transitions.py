"""The one way in which an order changes its state."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import PoolProxiedConnection, bindparam, insert, or_, select, update

from chassis.database import utc_now
from chassis.outbox import publish, withdraw
from chassis.prepared import Prepared
from orders.domain import FROM, OPEN, Reason, State
from orders.models import Order, OrderLine, Transition
from orders.schemas import Record

# The place of a state in the history; an order passes each place once.
SEQ = {State.PENDING: 0, State.RESERVED: 1, State.CONFIRMED: 2, State.CANCELLED: 2}

orders, order_lines, order_history = Order.__table__, OrderLine.__table__, Transition.__table__

# Built once: to build a statement takes longer than to run it. The card is kept until the order has ended.
_ADVANCE = {
    to: Prepared(
        update(orders)
        .where(orders.c.id == bindparam("order_id"), or_(*(orders.c.state == state for state in FROM[to])))
        .values({"state": to, "reason": bindparam("why")} | ({} if to in OPEN else {"card": None}))
        .returning(*orders.c)
    )
    for to in FROM
}
NOTE = Prepared(insert(order_history))
_its_lines, _its_history = (table.c.order_id == bindparam("order_id") for table in (order_lines, order_history))
LINES = Prepared(select(order_lines).where(_its_lines).order_by(order_lines.c.sku))
HISTORY = Prepared(select(order_history).where(_its_history).order_by(order_history.c.seq))


def advance(connection: PoolProxiedConnection, order_id: str, to: State, reason: Reason | None = None) -> Record | None:
    """Move the order to `to` if its state allows that, and say so in its history.

    One conditional UPDATE on the old state: of two that race, one gets the order and the other None, in any
    number of replicas. The caller publishes what follows in the same transaction.
    """
    order = _ADVANCE[to].row(connection, {"order_id": order_id, "why": reason})
    if order is not None:
        NOTE.run(connection, {"order_id": order_id, "seq": SEQ[to], "state": to, "at": utc_now()})
    return order


def finish(connection: PoolProxiedConnection, order_id: str, to: State, reason: Reason | None = None) -> bool:
    """Confirm or cancel, tell everybody, and forget the card. False when the order has ended otherwise."""
    order = advance(connection, order_id, to, reason)
    if order is None:
        return False
    withdraw(connection, "payment.requested", order_id)  # it holds the card; payments has it, or needs it no more
    lines = LINES.rows(connection, {"order_id": order_id})
    event = "order.confirmed" if to is State.CONFIRMED else "order.cancelled"
    publish(connection, event, order_id, describe(order, lines) | ({"reason": reason} if reason else {}))
    return True


def describe(order: Record, lines: Iterable[Record]) -> dict[str, Any]:
    """What the events say about an order."""
    return {
        "order_id": order["id"],
        "customer_id": order["customer_id"],
        "lines": [{name: line[name] for name in ("sku", "quantity", "price_cents")} for line in lines],
        "total_cents": order["total_cents"],
        "currency": order["currency"],
    }
