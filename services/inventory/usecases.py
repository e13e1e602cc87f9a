"""What orders do to stock: they reserve it, and then it leaves or is free again."""

from collections.abc import Sequence

from sqlalchemy import PoolProxiedConnection, bindparam, insert, select, update

from chassis.database import Database, utc_now
from chassis.errors import Conflict
from chassis.inbox import Event, first_delivery
from chassis.inserting import insert_new
from chassis.outbox import publish
from chassis.prepared import Prepared
from inventory.domain import (
    COMMIT,
    COMMIT_UNRESERVED,
    RELEASE,
    RESERVE,
    Change,
    Line,
    State,
    after_cancelled,
    after_confirmed,
)
from inventory.models import Movement, Reservation, Stock
from inventory.schemas import AboutOrder, OrderWithLines

reservations, stock, movements = Reservation.__table__, Stock.__table__, Movement.__table__

# Built once: to build a statement takes longer than to run it.
_its = reservations.c.order_id == bindparam("about")
_LOCK = Prepared(select(reservations).where(_its).with_for_update())
_ADVANCE = Prepared(update(reservations).where(_its).values(state=bindparam("to"), changed_at=bindparam("at")))
_REJECT = Prepared(update(reservations).where(_its).values(state=State.REJECTED, missing_sku=bindparam("missing")))
# The condition is part of the UPDATE: between a look and a write another replica could take the last piece.
_on_hand, _reserved = stock.c.on_hand + bindparam("more_on_hand"), stock.c.reserved + bindparam("more_reserved")
_MOVE = Prepared(
    update(stock)
    .where(stock.c.sku == bindparam("of"), _on_hand >= _reserved, _reserved >= 0)
    .values(on_hand=_on_hand, reserved=_reserved)
)
_NOTE = Prepared(insert(movements))


def reserve(database: Database, event: Event) -> None:
    """An order was placed: put all of its lines aside, or none, and say which."""
    order = OrderWithLines.model_validate(event.data)
    order_id, lines = order.order_id, order.merged()
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        if not _is_first_about(connection, order_id, State.RESERVED, lines):
            return  # it has ended before we heard that it began, or it was placed twice
        missing = _move(connection, RESERVE, order_id, lines)
        if missing is None:
            publish(connection, "stock.reserved", order_id, {"order_id": order_id})
            return
        _REJECT.run(connection, {"about": order_id, "missing": missing})
        rejected = {"order_id": order_id, "reason": "out_of_stock", "sku": missing}
        publish(connection, "stock.rejected", order_id, rejected)


def commit(database: Database, event: Event) -> None:
    """An order was confirmed: its pieces leave. Raises Conflict when they were never promised."""
    order = OrderWithLines.model_validate(event.data)
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        if _is_first_about(connection, order.order_id, State.COMMITTED, order.merged()):
            _move_all(connection, COMMIT_UNRESERVED, order.order_id, order.merged())
            return
        state, lines = _lock_reservation(connection, order.order_id)
        if _advance(connection, order.order_id, state, after_confirmed(state)):
            _move_all(connection, COMMIT, order.order_id, lines)


def release(database: Database, event: Event) -> None:
    """An order was cancelled: what it held is free again. If it held nothing yet, it never will."""
    order_id = AboutOrder.model_validate(event.data).order_id
    with database.write() as connection:
        if not first_delivery(connection, event) or _is_first_about(connection, order_id, State.CANCELLED, []):
            return
        state, lines = _lock_reservation(connection, order_id)
        if _advance(connection, order_id, state, after_cancelled(state)):
            _move_all(connection, RELEASE, order_id, lines)


def _move(connection: PoolProxiedConnection, change: Change, order_id: str, lines: Sequence[Line]) -> str | None:
    """Change the stock of all lines where that leaves 0 <= reserved <= on_hand, and write the movements.

    Gives the sku of the first line where it does not, and then no line has changed.
    """
    moved: list[Line] = []
    for line in lines:
        if not _change_stock(connection, change, line, 1):
            for done in moved:
                _change_stock(connection, change, done, -1)
            return line.sku
        moved.append(line)
    rows = [
        {
            "sku": line.sku, "kind": change.kind, "order_id": order_id, "at": utc_now(),
            "on_hand_delta": change.on_hand * line.quantity, "reserved_delta": change.reserved * line.quantity,
        }
        for line in lines
    ]  # fmt: skip
    _NOTE.run_all(connection, rows)
    return None


def _change_stock(connection: PoolProxiedConnection, change: Change, line: Line, sign: int) -> bool:
    """sign: -1 takes the change back. False when the stock does not allow it."""
    pieces = sign * line.quantity
    more = {"more_on_hand": change.on_hand * pieces, "more_reserved": change.reserved * pieces}
    return bool(_MOVE.run(connection, {"of": line.sku, **more}))


def _move_all(connection: PoolProxiedConnection, change: Change, order_id: str, lines: Sequence[Line]) -> None:
    if (missing := _move(connection, change, order_id, lines)) is not None:
        raise Conflict(f"the stock of {missing} does not have what order {order_id} was promised")


def _is_first_about(connection: PoolProxiedConnection, order_id: str, state: State, lines: Sequence[Line]) -> bool:
    """Make the order's reservation. False when there is one; waits for whoever is just making it."""
    row = {"order_id": order_id, "state": state, "lines": [vars(line) for line in lines]}
    row |= dict.fromkeys(("created_at", "changed_at"), utc_now())
    return insert_new(connection, reservations, row)


def _lock_reservation(connection: PoolProxiedConnection, order_id: str) -> tuple[State, list[Line]]:
    (row,) = _LOCK.rows(connection, {"about": order_id})
    return State(row["state"]), [Line(**line) for line in row["lines"]]


def _advance(connection: PoolProxiedConnection, order_id: str, before: State, to: State) -> bool:
    """Whether the state is new, and not only the effect of an event that came twice."""
    if before is not to:
        _ADVANCE.run(connection, {"about": order_id, "to": to, "at": utc_now()})
    return before is not to
