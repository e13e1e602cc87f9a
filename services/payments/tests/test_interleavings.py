"""Everything that can happen to one payment, in any order, by a state machine that tries thousands of orders.

Events come twice, late and in the wrong order; workers die, are slow and are overtaken; the bank refuses, fails,
loses answers, and does what it was asked for long after everybody has given up.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from chassis.database import utc_now
from chassis.inbox import inbox
from chassis.outbox import deliveries
from chassis.testing import published
from payments import settling, usecases
from payments.models import Payment
from payments.settling import ask, claim_due, settle
from payments.tests.helpers import DECLINED, GOOD, LossyBank, MemoryBank, cancelled, database_of, requested, take

CLAIM_S = 3.0
FATES = ["answered", "refused", "failed", "answer_lost", "delayed"]
ENDS = {"CAPTURED", "DECLINED", "VOIDED", "REFUNDED"}


class OnePayment(RuleBasedStateMachine):
    """`clock`: a list with the seconds that have passed; `app`: the application, whose tables are emptied."""

    def __init__(self, app: Any, clock: list[float]) -> None:
        super().__init__()
        self.app, self.clock, self.database = app, clock, database_of(app)
        with self.database.transaction() as session:
            for table in (Payment, inbox, deliveries):
                session.execute(delete(table))
        self.bank = MemoryBank()
        self.claimed: list[Any] = []  # jobs whose bank was not asked yet
        self.answers: list[Any] = []  # (job, answer) that are not written down yet
        self.late: list[Any] = []  # requests that are still on their way to the bank
        self.is_requested = self.is_cancelled = False

    @initialize(card=st.sampled_from([GOOD, GOOD, DECLINED]))
    def place(self, card: str) -> None:
        self.card = card

    @rule(id_=st.sampled_from(["r1", "r2"]))
    def payment_is_requested(self, id_: str) -> None:
        take(self.app, requested(id_=id_, card=self.card))
        self.is_requested = True

    @rule(id_=st.sampled_from(["c1", "c2"]))
    def order_is_cancelled(self, id_: str) -> None:
        take(self.app, cancelled(id_=id_))
        self.is_cancelled = True

    @rule(seconds=st.sampled_from([0.2, 2.5, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock[0] += seconds

    @precondition(lambda self: self.is_requested)
    @rule()
    def a_worker_claims(self) -> None:
        self.claimed += claim_due(self.database, 4, CLAIM_S)

    @precondition(lambda self: self.claimed)
    @rule(fate=st.sampled_from(FATES), looks_work=st.booleans(), data=st.data())
    def a_worker_asks(self, fate: str, looks_work: bool, data: Any) -> None:
        job = self._one_of(self.claimed, data)
        self.answers.append((job, ask(LossyBank(self.bank, fate, looks_work, self.late), job)))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def a_worker_writes_down_its_answer(self, data: Any) -> None:
        settle(self.database, *self._one_of(self.answers, data))

    @precondition(lambda self: self.answers or self.claimed)
    @rule(data=st.data())
    def a_worker_dies(self, data: Any) -> None:
        self._one_of(self.answers or self.claimed, data)

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_late_request_arrives(self, data: Any) -> None:
        self._one_of(self.late, data)()

    @invariant()
    def money_was_taken_once_at_most(self) -> None:
        assert len(self.bank.references) <= 1

    @invariant()
    def a_voided_payment_has_nothing_at_the_bank_nor_on_its_way(self) -> None:
        if self._state() == "VOIDED":
            assert self.bank.charges == {} and self.late == []

    @invariant()
    def the_card_is_kept_only_while_the_bank_may_ask_for_it(self) -> None:
        with self.database.reading() as session:
            row = session.get(Payment, "order-1")
        assert row is None or (row.card is not None) == (row.state == "PENDING")

    def teardown(self) -> None:
        """The bank is fine again: now everything ends, and what was lost on the way arrives."""
        for _ in range(4):
            self.clock[0] += 10
            for job in claim_due(self.database, 4, CLAIM_S):
                settle(self.database, job, ask(self.bank, job))
        for job, answer in self.answers:
            settle(self.database, job, answer)
        for request in self.late:
            request()
        self._check_the_end()

    def _check_the_end(self) -> None:
        state = self._state()
        told = [event["type"].removeprefix("payment.") for event in published(self.app)]
        assert state in ENDS or not (self.is_requested or self.is_cancelled)
        assert len(self.bank.references) <= 1
        assert self.bank.kept() == (state == "CAPTURED")
        if self.is_cancelled:
            assert state in ("VOIDED", "DECLINED", "REFUNDED")
        elif self.is_requested:
            assert state == ("DECLINED" if self.card == DECLINED else "CAPTURED")
        expected = {
            "CAPTURED": [["captured"]],
            "DECLINED": [["declined"]],
            "REFUNDED": [["refunded"], ["captured", "refunded"]],
        }
        assert told in expected.get(str(state), [[]])

    def _state(self) -> str | None:
        with self.database.reading() as session:
            row = session.get(Payment, "order-1")
        return row.state if row else None

    @staticmethod
    def _one_of(things: list[Any], data: Any) -> Any:
        return things.pop(data.draw(st.integers(0, len(things) - 1)))


@pytest.fixture
def clock(monkeypatch):
    passed = [0.0]
    start = utc_now()
    for module in (settling, usecases):
        monkeypatch.setattr(module, "utc_now", lambda: start + timedelta(seconds=passed[0]))
    return passed


def test_whatever_happens_nobody_pays_twice_or_for_nothing_and_everything_ends(app, clock):
    run_state_machine_as_test(
        lambda: OnePayment(app, clock),
        settings=settings(
            max_examples=150, stateful_step_count=25, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
