"""How a payment is brought to its end: claim it, ask the bank, write down the answer.

Three steps, so that no transaction is open while the bank thinks. A process may die between any two of them:
the claim then ends by itself, the next worker asks the bank under the same key, and gets the same answer.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.outbox import publish
from chassis.telemetry import log
from payments.clients import Bank
from payments.domain import OPEN, REASONS, Answer, Standing, State, answered, back_off_s, charge_key, refund_key
from payments.models import Payment

# Where a process can be killed on purpose (chassis.faults), beside the points of every event:
POINTS = (
    "payment.claimed",  # a worker has the payment, the bank was not asked
    "payment.asked",  # the bank has answered, nothing is written down
    "payment.settled",  # it is written down, with its event
)

EVENTS = {
    State.CAPTURED: "payment.captured",
    State.DECLINED: "payment.declined",
    State.REFUNDED: "payment.refunded",
}


@dataclass(frozen=True)
class Job:
    """One turn of a worker with one payment."""

    order_id: str
    claim: str
    state: State
    in_doubt: bool
    amount_cents: int
    currency: str
    card: str | None
    traceparent: str | None

    def __repr__(self) -> str:
        return f"Job({self.order_id}, {self.state}, claim={self.claim})"  # without the card


def claim_due(database: Database, places: int, claim_s: float) -> list[Job]:
    """Take up to `places` payments that are due, each for this caller alone for `claim_s` seconds.

    A conditional UPDATE, so of two workers one gets a payment, in any replica. A claim that is still there
    when it has expired was never settled: its worker may have sent something, so the payment is in doubt now.
    """
    now = utc_now()
    free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < now)
    due = and_(Payment.state.in_(OPEN), Payment.next_at <= now, free)
    oldest = select(Payment.order_id).where(due).order_by(Payment.next_at).limit(places)
    with database.reading() as session:  # most looks of a quiet service end here, without the write lock
        if session.execute(oldest).first() is None:
            return []
    values = {
        "claim": str(uuid.uuid4()),
        "claimed_until": now + timedelta(seconds=claim_s),
        "in_doubt": or_(Payment.in_doubt, Payment.claim.is_not(None)),
        "tries": Payment.tries + 1,
    }
    with database.transaction() as session:
        # PostgreSQL locks row by row; without SKIP LOCKED two replicas could each wait for a row of the other.
        ours = session.scalars(oldest.with_for_update(skip_locked=True)).all()
        statement = update(Payment).where(Payment.order_id.in_(ours), due).values(values)
        rows = session.execute(statement.returning(*(getattr(Payment, name) for name in Job.__dataclass_fields__)))
        return [Job(**row) for row in rows.mappings()]


def ask(bank: Bank, job: Job) -> Answer:
    """Ask the bank for what this payment needs.

    What is in doubt may be done already. That is looked up first: while the bank answers its charges more
    slowly than we wait, it is the only way to an answer.
    """
    key = charge_key(job.order_id)
    known = bank.look(key) if job.in_doubt else None
    if job.state == State.REFUNDING:
        return known if known is Answer.REFUNDED else bank.refund(refund_key(job.order_id), key)
    if known is not None:
        return Answer.CAPTURED if known is Answer.REFUNDED else known
    assert job.card is not None, "a payment that waits for the bank still has its card"
    return bank.charge(key, job.amount_cents, job.currency, job.card, job.order_id)


def settle(database: Database, job: Job, answer: Answer) -> None:
    """Write down what the answer makes of the payment, with the event that says so, in one transaction."""
    with database.transaction() as session:
        payment = session.get_one(Payment, job.order_id, with_for_update=True)
        mine = payment.claim == job.claim
        change(session, payment, answered(payment.standing, answer, mine))
        if mine and payment.state == job.state:
            payment.next_at = utc_now() + timedelta(seconds=back_off_s(payment.tries))


def change(session: Session, payment: Payment, to: Standing) -> None:
    """Let the payment stand like this from now on. A new state tells everybody, and forgets the card."""
    before = payment.standing
    if to == before:
        return
    payment.cancelled, payment.in_doubt = to.cancelled, to.in_doubt
    if not to.claimed:
        payment.claim = payment.claimed_until = None
    if to.state == before.state:
        return
    now = utc_now()
    payment.state, payment.reason, payment.card = to.state, REASONS.get(to.state), None
    payment.tries, payment.next_at, payment.updated_at = 0, now, now
    if event := EVENTS.get(to.state):
        data = {"order_id": payment.order_id, "amount_cents": payment.amount_cents, "currency": payment.currency}
        publish(session, event, payment.order_id, data | ({"reason": payment.reason} if payment.reason else {}))
    log.info("payment changed", order_id=payment.order_id, before=before.state, state=to.state)
