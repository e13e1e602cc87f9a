"""How a payment is brought to its end: claim it, ask the bank, write down the answer.

Three steps, so that no transaction is open while the bank thinks. A process may die between any two of them:
the claim then ends by itself, the next worker asks the bank under the same key, and gets the same answer.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, PoolProxiedConnection, and_, bindparam, or_, select, update

from chassis.database import Database, UtcDateTime
from chassis.outbox import publish
from chassis.prepared import Prepared
from chassis.telemetry import log
from payments.clients import Bank
from payments.domain import OPEN, REASONS, Answer, Standing, State, answered, back_off_s, charge_key, refund_key
from payments.models import Payment, standing_of

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

payments, _now = Payment.__table__, bindparam("now", type_=UtcDateTime)
_row = payments.c

# Built once: to build a statement takes longer than to run it.
_is_due = and_(
    or_(*(_row.state == state for state in OPEN)),
    _row.next_at <= _now,
    or_(_row.claimed_until.is_(None), _row.claimed_until < _now),
)
_due = select(_row.order_id).where(_is_due).order_by(_row.next_at).limit(bindparam("places", type_=Integer))
_DUE = Prepared(_due)
# PostgreSQL locks row by row; without SKIP LOCKED two replicas could each wait for a row of the other.
_TAKE = Prepared(_due.with_for_update(skip_locked=True))
_its = _row.order_id == bindparam("about")
_LOCK, _CHANGE = Prepared(select(payments).where(_its).with_for_update()), Prepared(update(payments).where(_its))


@dataclass(frozen=True)
class Claim:
    """One turn of a worker with a payment, and until when nobody else takes that payment."""

    id: str
    until: datetime


@dataclass(frozen=True)
class Job:
    """What a worker needs to know of the payment that it has claimed."""

    order_id: str
    claim: str
    state: State
    in_doubt: bool
    amount_cents: int
    currency: str
    card: str | None
    traceparent: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Job":
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    def __repr__(self) -> str:
        return f"Job({self.order_id}, {self.state}, claim={self.claim})"  # without the card


_CLAIM = Prepared(
    update(payments)
    .where(_its, _is_due)
    .values(
        claim=bindparam("by"),
        claimed_until=bindparam("until", type_=UtcDateTime),
        in_doubt=or_(_row.in_doubt, _row.claim.is_not(None)),
        tries=_row.tries + 1,
    )
    .returning(*(_row[name] for name in Job.__dataclass_fields__))
)


def claim_due(database: Database, places: int, claim_s: float) -> list[Job]:
    """Take up to `places` payments that are due, each for this caller alone for `claim_s` seconds.

    A conditional UPDATE, so of two workers one gets a payment, in any replica. A claim that is still there
    when it has expired was never settled: its worker may have sent something, so the payment is in doubt now.
    """
    now = database.now()
    with database.look() as connection:  # most looks of a quiet service end here, without the write lock
        if _DUE.row(connection, {"now": now, "places": 1}) is None:
            return []
    claim = new_claim(now, claim_s)
    values = {"now": now, "by": claim.id, "until": claim.until}
    with database.write() as connection:
        ours = [row["order_id"] for row in _TAKE.rows(connection, {"now": now, "places": places})]
        return [Job.of(row) for id in ours for row in _CLAIM.rows(connection, {"about": id, **values})]


def new_claim(now: datetime, claim_s: float) -> Claim:
    return Claim(str(uuid.uuid4()), now + timedelta(seconds=claim_s))


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


def settle(database: Database, job: Job, answer: Answer) -> bool:
    """Write down what the answer makes of the payment, with the event that says so, in one transaction.

    True when the bank has to be asked again, now or later.
    """
    now = database.now()
    with database.write() as connection:
        payment = lock(connection, job.order_id)
        mine = payment["claim"] == job.claim
        to = answered(standing_of(payment), answer, mine)
        back_off = timedelta(seconds=back_off_s(payment["tries"]))
        change(connection, payment, to, now, now + back_off if mine and to.state == job.state else None)
    return to.state in OPEN


def lock(connection: PoolProxiedConnection, order_id: str) -> Mapping[str, Any]:
    """The payment; nobody else changes it in this transaction."""
    (payment,) = _LOCK.rows(connection, {"about": order_id})
    return payment


def change(
    connection: PoolProxiedConnection,
    payment: Mapping[str, Any],
    to: Standing,
    now: datetime,
    next_at: datetime | None = None,
) -> None:
    """Let the payment stand like this from now on. A new state tells everybody, and forgets the card.

    next_at: when the bank is to be asked again, if it is.
    """
    before = standing_of(payment)
    values: dict[str, Any] = {"cancelled": to.cancelled, "in_doubt": to.in_doubt}
    if not to.claimed:
        values |= {"claim": None, "claimed_until": None}
    if next_at is not None:
        values |= {"next_at": next_at}
    if to.state != before.state:
        reason = REASONS.get(to.state)
        values |= {"state": to.state, "reason": reason, "card": None, "tries": 0, "next_at": now, "updated_at": now}
    _CHANGE.run(connection, {"about": payment["order_id"], **values})
    if to.state == before.state:
        return
    if event := EVENTS.get(to.state):
        data = {name: payment[name] for name in ("order_id", "amount_cents", "currency")}
        publish(connection, event, payment["order_id"], data | ({"reason": reason} if reason else {}))
    log.info("payment changed", order_id=payment["order_id"], before=before.state, state=to.state)
