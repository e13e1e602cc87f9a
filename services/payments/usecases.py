"""What others ask of payments: pay for an order, give up the payment of a cancelled one, look, charge at once.

No use case here waits for the bank but `charge_now`; the others leave a row for the workers (settling.py).
"""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, after_commit
from chassis.errors import Conflict, DeadlinePassed, Forbidden, NotFound, Unavailable
from chassis.identity import Caller
from chassis.inbox import Event, first_delivery
from chassis.inserting import insert_new
from chassis.paging import decode_cursor, paged
from chassis.prepared import Prepared
from chassis.trace import current_trace
from payments import domain
from payments.clients import Bank
from payments.domain import Answer, CardDeclined, Reason, State, direct_key
from payments.models import Payment, standing_of
from payments.schemas import ChargeNow, OrderCancelled, PaymentRequested
from payments.settling import Claim, Job, change, lock, payments

# A tombstone learns whose payment it is that will not be made.
_tombstone = (payments.c.order_id == bindparam("about"), payments.c.amount_cents.is_(None))
_KNOW = Prepared(update(payments).where(*_tombstone))


class Settlers(Protocol):
    """The workers, as the use cases see them: they settle what is written here."""

    def wake(self) -> None:
        """There may be something to settle."""

    def claim(self, now: datetime) -> Claim | None:
        """The claim under which a new payment is written for one that is free; None when nobody is."""

    def take(self, job: Job) -> None:
        """A payment is in the database under such a claim."""


def payment_requested(database: Database, settlers: Settlers, event: Event) -> None:
    """Note what is to be paid, unless the order was cancelled before. The workers do the rest.

    A payment is born claimed by the worker that gets it right after the commit: a claim of its own would be a second
    transaction.
    """
    wanted = PaymentRequested.model_validate(event.data)
    with database.write() as connection:
        if not first_delivery(connection, event):
            return
        now = database.now()
        row = _row(wanted.order_id, State.PENDING, now) | wanted.model_dump()
        claim = settlers.claim(now)
        if claim is not None:
            row |= {"claim": claim.id, "claimed_until": claim.until, "tries": 1}
        if not insert_new(connection, payments, row):
            # The row is a tombstone, whose amount is known from now on, or this payment came before.
            _KNOW.run(connection, {"about": wanted.order_id, **wanted.model_dump(exclude={"order_id", "card"})})
        elif claim is None:
            after_commit(connection, settlers.wake)
        else:
            job = Job.of(row)
            after_commit(connection, lambda: settlers.take(job))


def order_cancelled(database: Database, settlers: Settlers, event: Event) -> None:
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
        after_commit(connection, settlers.wake)


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
        "traceparent": trace.header() if trace else None, "created_at": now, "updated_at": now, "claim": None,
        "claimed_until": None,
    }  # fmt: skip
