"""What orders do to stock: they reserve it, and then it leaves or is free again."""

from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, insert_new, utc_now
from chassis.errors import Conflict
from chassis.inbox import Event, first_delivery
from chassis.outbox import publish
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


def reserve(database: Database, event: Event) -> None:
    """An order was placed: put all of its lines aside, or none, and say which."""
    order = OrderWithLines.model_validate(event.data)
    order_id, lines = order.order_id, order.merged()
    with database.transaction() as session:
        if not first_delivery(session, event):
            return
        if not _is_first_about(session, order_id, State.RESERVED, lines):
            return  # it has ended before we heard that it began, or it was placed twice
        with session.begin_nested() as lines_taken:
            missing = _move(session, RESERVE, order_id, lines)
            if missing is not None:
                lines_taken.rollback()
        if missing is None:
            publish(session, "stock.reserved", order_id, {"order_id": order_id})
            return
        values = {"state": State.REJECTED, "missing_sku": missing}
        session.execute(update(Reservation).where(Reservation.order_id == order_id).values(values))
        rejected = {"order_id": order_id, "reason": "out_of_stock", "sku": missing}
        publish(session, "stock.rejected", order_id, rejected)


def commit(database: Database, event: Event) -> None:
    """An order was confirmed: its pieces leave. Raises Conflict when they were never promised."""
    order = OrderWithLines.model_validate(event.data)
    with database.transaction() as session:
        if not first_delivery(session, event):
            return
        if _is_first_about(session, order.order_id, State.COMMITTED, order.merged()):
            _move_all(session, COMMIT_UNRESERVED, order.order_id, order.merged())
            return
        reservation = _lock_reservation(session, order.order_id)
        if _advance(reservation, after_confirmed(State(reservation.state))):
            _move_all(session, COMMIT, order.order_id, _lines(reservation))


def release(database: Database, event: Event) -> None:
    """An order was cancelled: what it held is free again. If it held nothing yet, it never will."""
    order_id = AboutOrder.model_validate(event.data).order_id
    with database.transaction() as session:
        if not first_delivery(session, event) or _is_first_about(session, order_id, State.CANCELLED, []):
            return
        reservation = _lock_reservation(session, order_id)
        if _advance(reservation, after_cancelled(State(reservation.state))):
            _move_all(session, RELEASE, order_id, _lines(reservation))


def _move(session: Session, change: Change, order_id: str, lines: Sequence[Line]) -> str | None:
    """Change the stock of each line where that leaves 0 <= reserved <= on_hand, and write the movements.

    Gives the sku of the first line where it does not; the caller then undoes the lines before it. The condition
    is part of the UPDATE: between a look and a write another replica could take the last piece.
    """
    movements = []
    for line in lines:
        on_hand, reserved = change.on_hand * line.quantity, change.reserved * line.quantity
        values = {"on_hand": Stock.on_hand + on_hand, "reserved": Stock.reserved + reserved}
        possible = (Stock.on_hand + on_hand >= Stock.reserved + reserved, Stock.reserved + reserved >= 0)
        statement = update(Stock).where(Stock.sku == line.sku, *possible).values(values).returning(Stock.sku)
        if session.execute(statement, execution_options={"synchronize_session": False}).first() is None:
            return line.sku
        deltas = {"on_hand_delta": on_hand, "reserved_delta": reserved}
        movements.append({"sku": line.sku, "kind": change.kind, "order_id": order_id, **deltas})
    session.execute(insert(Movement), movements)
    return None


def _move_all(session: Session, change: Change, order_id: str, lines: Sequence[Line]) -> None:
    if (missing := _move(session, change, order_id, lines)) is not None:
        raise Conflict(f"the stock of {missing} does not have what order {order_id} was promised")


def _is_first_about(session: Session, order_id: str, state: State, lines: Sequence[Line]) -> bool:
    """Make the order's reservation. False when there is one; waits for whoever is just making it."""
    row = {"order_id": order_id, "state": state, "lines": [vars(line) for line in lines]}
    return insert_new(session, Reservation.__table__, row)


def _lock_reservation(session: Session, order_id: str) -> Reservation:
    return session.scalars(select(Reservation).where(Reservation.order_id == order_id).with_for_update()).one()


def _advance(reservation: Reservation, state: State) -> bool:
    """Whether the state is new, and not only the effect of an event that came twice."""
    if reservation.state == state:
        return False
    reservation.state, reservation.changed_at = state, utc_now()
    return True


def _lines(reservation: Reservation) -> list[Line]:
    return [Line(**line) for line in reservation.lines]
