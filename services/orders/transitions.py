"""The one way in which an order changes its state."""

from typing import Any

from sqlalchemy import PoolProxiedConnection, bindparam, or_, update

from chassis.database import utc_now
from chassis.outbox import publish, withdraw
from chassis.prepared import Prepared
from orders.domain import FROM, OPEN, Reason, State
from orders.models import Order
from orders.schemas import Record

orders: Any = Order.__table__

_when: Any = bindparam("at")
_RESERVED, _ENDED = {"reserved_at": _when}, {"ended_at": _when, "card": None}  # the card is kept until the end
# Built once: to build a statement takes longer than to run it.
_ADVANCE = {
    to: Prepared(
        update(orders)
        .where(orders.c.id == bindparam("order_id"), or_(*(orders.c.state == state for state in FROM[to])))
        .values({"state": to, "reason": bindparam("why")} | (_RESERVED if to in OPEN else _ENDED))
        .returning(*orders.c)
    )
    for to in FROM
}


def advance(connection: PoolProxiedConnection, order_id: str, to: State, reason: Reason | None = None) -> Record | None:
    """Move the order to `to` if its state allows that, and note when.

    One conditional UPDATE on the old state: of two that race, one gets the order and the other None, in any
    number of replicas. The caller publishes what follows in the same transaction.
    """
    return _ADVANCE[to].row(connection, {"order_id": order_id, "why": reason, "at": utc_now()})


def finish(connection: PoolProxiedConnection, order_id: str, to: State, reason: Reason | None = None) -> bool:
    """Confirm or cancel, tell everybody, and forget the card. False when the order has ended otherwise."""
    order = advance(connection, order_id, to, reason)
    if order is None:
        return False
    withdraw(connection, "payment.requested", order_id)  # it holds the card; payments has it, or needs it no more
    event = "order.confirmed" if to is State.CONFIRMED else "order.cancelled"
    publish(connection, event, order_id, describe(order) | ({"reason": reason} if reason else {}))
    return True


def describe(order: Record) -> dict[str, Any]:
    """What the events say about an order."""
    return {
        "order_id": order["id"],
        "customer_id": order["customer_id"],
        "lines": [{name: line[name] for name in ("sku", "quantity", "price_cents")} for line in order["lines"]],
        "total_cents": order["total_cents"],
        "currency": order["currency"],
    }
