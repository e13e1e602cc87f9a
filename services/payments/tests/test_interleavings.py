"""Everything that can happen to one payment, in any order: hundreds of stories told by dice.

Events come twice, late and in the wrong order; workers die, are slow and are overtaken; the bank refuses, fails,
loses answers, and does what it was asked for long after everybody has given up. Each seed tells the same story
each time; a failure shows its steps.
"""

import random
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, event

from chassis.database import utc_now
from chassis.inbox import inbox
from chassis.outbox import deliveries
from chassis.testing import published
from payments.models import Payment
from payments.settling import Job, ask, claim_due, settle
from payments.tests.helpers import DECLINED, GOOD, LossyBank, MemoryBank, cancelled, database_of, requested, take

STORIES, AT_ONCE, STEPS = 320, 40, 9
CLAIM_S = 3.0
BACK_OFF_S, CLAIM_ENDS_S = 2.5, 10.0
FATES = ["answered", "refused", "failed", "answer_lost", "delayed"]
ENDS = {
    "CAPTURED": [["captured"]],
    "DECLINED": [["declined"]],
    "VOIDED": [[]],
    "REFUNDED": [["refunded"], ["captured", "refunded"]],
}


class Story:
    """One payment. clock: a list with the seconds that have passed."""

    def __init__(self, app: Flask, clock: list[float], seed: int) -> None:
        self.app, self.clock, self.dice, self.database = app, clock, random.Random(seed), database_of(app)
        with self.database.transaction() as session:
            for table in (Payment, inbox, deliveries):
                session.execute(delete(table))
        self.card = self.dice.choice([GOOD, GOOD, GOOD, DECLINED])
        self.bank = MemoryBank()
        self.claimed: list[Job] = []  # by workers that have not asked the bank yet
        self.answers: list[Any] = []  # (job, answer) that are not written down yet
        self.late: list[Any] = []  # requests that are still on their way to the bank
        self.requested = self.cancelled = False
        self.steps: list[str] = []

    def step(self) -> None:
        """Something that can happen now does."""
        turn, cancel = self.a_worker_takes_a_turn, self.the_order_is_cancelled
        possible = [turn, turn, turn, cancel, self.the_payment_is_requested]
        possible += [self.a_slow_worker_asks] if self.claimed else []
        possible += [self.an_answer_is_written_down, self.a_worker_dies] if self.answers else []
        possible += [self.a_late_request_arrives] if self.late else []
        chosen = self.dice.choice(possible)
        self.steps.append(chosen.__name__)
        chosen()

    def the_payment_is_requested(self) -> None:
        take(self.app, requested(id_=self.dice.choice(["r1", "r2"]), card=self.card))
        self.requested = True

    def the_order_is_cancelled(self) -> None:
        take(self.app, cancelled(id_=self.dice.choice(["c1", "c2"])))
        self.cancelled = True

    def a_worker_takes_a_turn(self) -> None:
        seconds = self.dice.choice([BACK_OFF_S, BACK_OFF_S, CLAIM_ENDS_S])
        stops = self.dice.choice(["at the end", "at the end", "before it writes", "before it asks"])
        for job in self._claim(seconds):
            self.steps.append(f"{stops} of a turn after {seconds} s")
            if stops == "before it asks":
                self.claimed.append(job)
            elif stops == "before it writes":
                self.answers.append((job, self._ask(job)))
            else:
                settle(self.database, job, self._ask(job))

    def a_slow_worker_asks(self) -> None:
        job = self._one_of(self.claimed)
        self.answers.append((job, self._ask(job)))

    def an_answer_is_written_down(self) -> None:
        settle(self.database, *self._one_of(self.answers))

    def a_worker_dies(self) -> None:
        self._one_of(self.answers)

    def a_late_request_arrives(self) -> None:
        self._one_of(self.late)()

    def everything_comes_right(self) -> None:
        """The bank is well again; then what was lost on the way arrives."""
        for _ in range(4):
            for job in self._claim(CLAIM_ENDS_S):
                settle(self.database, job, ask(self.bank, job))
        for job, answer in self.answers:
            settle(self.database, job, answer)
        for request in self.late:
            request()

    def check_always(self) -> None:
        row = self._row()
        assert len(self.bank.references) <= 1, "charged twice"
        assert row is None or (row.card is not None) == (row.state == "PENDING"), "the card stays while it is needed"
        if row is not None and row.state == "VOIDED":
            assert not self.bank.charges and not self.late, "the bank knows a voided payment, or will"

    def check_at_the_end(self) -> None:
        row = self._row()
        if row is None:
            assert not (self.requested or self.cancelled)
            return
        assert published_types(self.app) in ENDS[row.state]
        assert self.bank.kept() == (row.state == "CAPTURED"), "money is kept exactly for what is CAPTURED"
        if self.cancelled:
            assert row.state != "CAPTURED"
        else:
            assert row.state == ("DECLINED" if self.card == DECLINED else "CAPTURED")

    def _claim(self, seconds: float) -> list[Job]:
        self.clock[0] += seconds
        return claim_due(self.database, 4, CLAIM_S)

    def _ask(self, job: Job) -> Any:
        fate = self.dice.choice(FATES)
        self.steps.append(f"the request is {fate}")
        return ask(LossyBank(self.bank, fate, self.dice.random() < 0.5, self.late), job)

    def _one_of(self, things: list[Any]) -> Any:
        return things.pop(self.dice.randrange(len(things)))

    def _row(self) -> Payment | None:
        with self.database.reading() as session:
            return session.get(Payment, "order-1")


def published_types(app: Flask) -> list[str]:
    return [message["type"].removeprefix("payment.") for message in published(app)]


@pytest.fixture
def clock(app):
    passed, start = [0.0], utc_now()
    database_of(app).now = lambda: start + timedelta(seconds=passed[0])
    return passed


@pytest.mark.parametrize("first", range(0, STORIES, AT_ONCE))
def test_whatever_happens_nobody_pays_twice_or_for_nothing_and_everything_ends(app, clock, first):
    # Nothing here ends by a power cut, and thousands of commits need not wait for the disk.
    event.listen(database_of(app).engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    for seed in range(first, first + AT_ONCE):
        story = Story(app, clock, seed)
        try:
            for _ in range(STEPS):
                story.step()
                story.check_always()
            story.everything_comes_right()
            story.check_always()
            story.check_at_the_end()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}; {', '.join(story.steps)}") from error
