"""The workers of one replica: a few threads that settle payments beside the requests.

A slow bank holds these threads and no others, so events are taken in and health is answered meanwhile.
"""

import threading
import time
from datetime import datetime

from chassis import faults
from chassis.background import Crew, Periodic
from chassis.database import Database
from chassis.telemetry import log
from chassis.trace import current_trace, parse_traceparent
from payments.clients import SETTLED, Bank
from payments.domain import Answer
from payments.settling import Claim, Job, ask, claim_due, new_claim, settle

LOOK_EVERY_S = 0.5
TROUBLE = 10  # failures in a row


class Workers:
    """Claims what is due and settles it, up to `count` at a time. `wake()` makes it look at once.

    After some failures in a row it tries one payment per look, until the bank is well again: thousands that
    wait for an absent bank would otherwise keep the database busy with nothing but claims.
    """

    def __init__(self, database: Database, bank: Bank, count: int, claim_s: float) -> None:
        self.database, self.bank, self.count, self.claim_s = database, bank, count, claim_s
        self._busy = self._failures = 0
        self._more = False  # there may be something to settle for which there was no place
        self._lock = threading.Lock()
        self._crew = Crew("payment", count, self._work)
        self._periodic = Periodic("payments", LOOK_EVERY_S, self.look)
        self.wake = self._periodic.wake

    def start(self) -> None:
        self._crew.start()
        self._periodic.start()

    def stop(self) -> None:
        """Let the questions under way end; what is not settled then is claimed anew by whoever comes next."""
        self._periodic.stop()
        self._crew.stop()

    def look(self) -> None:
        """Claim no more than can be asked about at once: a claim that waits for a thread runs out."""
        with self._lock:
            places = (1 if self._in_trouble() else self.count) - self._busy
        if places <= 0:
            return
        jobs = claim_due(self.database, places, self.claim_s)
        self._more = len(jobs) == places
        for job in jobs:
            self.take(job)

    def claim(self, now: datetime) -> Claim | None:
        """The claim under which a new payment is written for a worker that is free; None when none is."""
        is_free = self._crew.works and self._busy < self.count and not self._in_trouble()
        return new_claim(now, self.claim_s) if is_free else None

    def take(self, job: Job) -> None:
        """Settle a payment that was claimed just now."""
        with self._lock:
            self._busy += 1
        self._crew.give((job, time.monotonic() + self.claim_s))

    def _work(self, given: tuple[Job, float]) -> None:
        job, claim_ends = given
        current_trace.set(parse_traceparent(job.traceparent or ""))
        try:
            if time.monotonic() < claim_ends:  # else it has waited too long: somebody else may have it by now
                self._settle(job)
        except Exception:
            log.exception("a payment could not be settled; it will be tried again", order_id=job.order_id)
        finally:
            with self._lock:
                self._busy -= 1
            if self._more and not self._in_trouble():
                self.wake()

    def _settle(self, job: Job) -> None:
        faults.point("payment.claimed")
        answer = ask(self.bank, job)
        faults.point("payment.asked")
        self._note(answer)
        self._more |= settle(self.database, job, answer)
        faults.point("payment.settled")

    def _in_trouble(self) -> bool:
        return self._failures >= TROUBLE

    def _note(self, answer: Answer) -> None:
        with self._lock:
            self._failures = 0 if answer in SETTLED else self._failures + 1
