"""What others ask of payments: pay for an order, give up the payment of a cancelled one, look, charge at once.

No use case here waits for the bank but `charge_now`; the others leave a row for the workers (settling.py).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, after_commit, insert_new
from chassis.errors import Conflict, DeadlinePassed, Forbidden, NotFound, Unavailable
from chassis.identity import Caller
from chassis.inbox import Event, first_delivery
from chassis.paging import decode_cursor, paged
from chassis.trace import current_trace
from payments import domain
from payments.clients import Bank
from payments.domain import Answer, CardDeclined, Reason, State, direct_key
from payments.models import Payment, standing_of
from payments.schemas import ChargeNow, OrderCancelled, PaymentRequested
from payments.settling import change, lock, payments


def payment_requested(database: Database, wake: Callable[[], None], event: Event) -> None:
    """Note what is to be paid, unless the order was cancelled before. The workers do the rest."""
    wanted = PaymentRequested.model_validate(event.data)
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        row = _row(wanted.order_id, State.PENDING, database.now()) | wanted.model_dump()
        if insert_new(connection, payments, row):
            after_commit(connection, wake)
            return
        # The row is a tombstone, whose amount is known from now on, or this payment came before.
        tombstone = (payments.c.order_id == wanted.order_id, payments.c.amount_cents.is_(None))
        known = wanted.model_dump(exclude={"order_id", "card"})
        connection.execute(update(payments).where(*tombstone).values(known))


def order_cancelled(database: Database, wake: Callable[[], None], event: Event) -> None:
    """Give the payment up: void, mark or refund it; without one yet, see to it that the late one charges nothing."""
    order_id, now = OrderCancelled.model_validate(event.data).order_id, database.now()
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        tombstone = _row(order_id, State.VOIDED, now) | {"cancelled": True, "reason": Reason.ORDER_CANCELLED}
        if insert_new(connection, payments, tombstone):
            return
        payment = lock(connection, order_id)
        change(connection, payment, domain.cancelled(standing_of(payment)), now)
        after_commit(connection, wake)


def charge_now(bank: Bank, wanted: ChargeNow) -> dict[str, Any]:
    """Have the bank charge while the caller waits. The same reference again is the same charge.

    Raises CardDeclined; Conflict for another charge under a used reference; Unavailable when nothing was done;
    DeadlinePassed when the bank gave no clear answer in time, and then only the same call again tells.
    """
    key = direct_key(wanted.reference)
    match bank.charge(key, **wanted.model_dump()):
        case Answer.CAPTURED as answer:
            return wanted.model_dump(exclude={"card"}) | {"state": answer}
        case Answer.DECLINED:
            raise CardDeclined("the bank declined this card")
        case Answer.CONFLICT:
            raise Conflict("this reference was used for another charge; use a new one for a new charge")
        case Answer.NOTHING_DONE:
            raise Unavailable("the bank cannot be had now, and nothing was charged; try again")
    raise DeadlinePassed("the bank gave no clear answer in time; the same call again tells what became of it")


def get_payment(database: Database, caller: Caller, order_id: str) -> Payment:
    """Raises NotFound, or Forbidden for another customer's payment."""
    with database.reading() as session:
        payment = session.get(Payment, order_id)
    if payment is None or payment.amount_cents is None:  # a tombstone is no payment yet
        raise NotFound(f"there is no payment for an order {order_id}")
    if payment.customer_id != caller.id and "operator" not in caller.roles:
        raise Forbidden("this is the payment of another customer's order")
    return payment


def list_payments(database: Database, limit: int, cursor: str | None) -> tuple[list[Payment], str | None]:
    """A page of everybody's payments, by order, and the next cursor."""
    statement = select(Payment).where(Payment.amount_cents.is_not(None)).order_by(Payment.order_id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Payment.order_id > decode_cursor(cursor, str))
    with database.reading() as session:
        rows = session.scalars(statement).all()
    return paged(rows, limit, lambda payment: payment.order_id)


def forget_tombstones(session: Session, older_than: Any) -> None:
    """Delete the marks of orders that were cancelled so long ago that no request can still be on its way."""
    old = (Payment.state == State.VOIDED, Payment.amount_cents.is_(None), Payment.updated_at < older_than)
    session.execute(delete(Payment).where(*old))


def _row(order_id: str, state: State, now: datetime) -> dict[str, Any]:
    trace = current_trace.get()
    return {
        "order_id": order_id, "state": state, "cancelled": False, "in_doubt": False, "tries": 0, "next_at": now,
        "traceparent": trace.header() if trace else None, "created_at": now, "updated_at": now,
    }  # fmt: skip
