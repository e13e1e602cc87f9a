"""Events, rows, and a bank in memory, for the tests of payments."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Flask

from chassis.database import Database
from chassis.inbox import Event
from chassis.testing import event
from payments.domain import Answer
from payments.models import Payment
from payments.settling import Claim, Job, ask, claim_due, settle
from payments.usecases import order_cancelled, payment_requested

GOOD, DECLINED, LATE = "4242424242424242", "4000000000000002", "4000000000000259"


def request_data(order_id: str = "order-1", **changes: Any) -> dict[str, Any]:
    data = {"order_id": order_id, "customer_id": "ada", "amount_cents": 1_500, "currency": "EUR", "card": GOOD}
    return data | changes


def requested(order_id: str = "order-1", id_: str | None = None, **changes: Any) -> Event:
    """`payment.requested`; a repeated delivery when the id is given twice."""
    data = request_data(order_id, **changes)
    return Event.model_validate(event("payment.requested", order_id, id_=id_ or str(uuid.uuid4()), **data))


def cancelled(order_id: str = "order-1", id_: str | None = None) -> Event:
    return Event.model_validate(event("order.cancelled", order_id, id_=id_ or str(uuid.uuid4()), order_id=order_id))


def database_of(app: Flask) -> Database:
    database: Database = app.extensions["souk.database"]
    return database


class Nobody:
    """Workers of whom none is free."""

    def wake(self) -> None:
        pass

    def claim(self, now: datetime) -> Claim | None:
        return None

    def take(self, job: Job) -> None:
        raise AssertionError("nobody gave a claim")


def take(app: Flask, message: Event) -> None:
    """Handle an event; no worker is free."""
    handler = payment_requested if message.type == "payment.requested" else order_cancelled
    handler(database_of(app), Nobody(), message)


def payment(app: Flask, order_id: str = "order-1") -> Payment:
    with database_of(app).reading() as session:
        return session.get_one(Payment, order_id)


def state(app: Flask, order_id: str = "order-1") -> str:
    return payment(app, order_id).state


def claim(app: Flask, claim_s: float = 60.0) -> Job:
    """The one payment that is due."""
    (job,) = claim_due(database_of(app), 10, claim_s)
    return job


def turn(app: Flask, bank: Any) -> Answer:
    """One whole turn of a worker with the one payment that is due."""
    job = claim(app)
    answer = ask(bank, job)
    settle(database_of(app), job, answer)
    return answer


@dataclass
class MemoryBank:
    """The bank's promises without its network: one key is one charge, and one charge is refunded at most once."""

    charges: dict[str, str] = field(default_factory=dict)  # key -> CAPTURED, DECLINED or REFUNDED
    references: list[str] = field(default_factory=list)  # of the charges that took money, one entry for each
    asked: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def charge(self, key: str, amount_cents: int, currency: str, card: str, reference: str) -> Answer:
        with self.lock:
            self.asked.append(f"charge {key}")
            if key not in self.charges:
                self.charges[key] = "DECLINED" if card == DECLINED else "CAPTURED"
                if self.charges[key] == "CAPTURED":
                    self.references.append(reference)
            return Answer.DECLINED if self.charges[key] == "DECLINED" else Answer.CAPTURED

    def refund(self, key: str, charge_key: str) -> Answer:
        with self.lock:
            self.asked.append(f"refund {key}")
            if self.charges.get(charge_key) in (None, "DECLINED"):
                return Answer.NOTHING_DONE
            self.charges[charge_key] = "REFUNDED"
            return Answer.REFUNDED

    def look(self, key: str) -> Answer | None:
        with self.lock:
            self.asked.append(f"look {key}")
            return Answer(self.charges[key]) if key in self.charges else None

    def kept(self) -> int:
        """How many charges the bank holds money for."""
        return list(self.charges.values()).count("CAPTURED")


@dataclass
class LossyBank:
    """The same bank over a bad line: `fate` says what becomes of the next request that changes something.

    answered; refused: certainly not done; failed: not done, but nobody knows; answer_lost: done, but nobody knows;
    delayed: nobody knows, and it is done when `late` is called.
    """

    bank: MemoryBank
    fate: str
    looks_work: bool = True
    late: list[Callable[[], Any]] = field(default_factory=list)

    def charge(self, *arguments: Any, **named: Any) -> Answer:
        return self._send(lambda: self.bank.charge(*arguments, **named))

    def refund(self, *arguments: Any) -> Answer:
        return self._send(lambda: self.bank.refund(*arguments))

    def look(self, key: str) -> Answer | None:
        return self.bank.look(key) if self.looks_work else None

    def _send(self, request: Callable[[], Answer]) -> Answer:
        if self.fate == "answered":
            return request()
        if self.fate == "answer_lost":
            request()
        elif self.fate == "delayed":
            self.late.append(request)
        return Answer.NOTHING_DONE if self.fate == "refused" else Answer.UNCLEAR
