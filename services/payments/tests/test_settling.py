"""Single stories of one payment; test_interleavings.py mixes them."""

from datetime import datetime, timedelta

import pytest

from chassis.database import utc_now
from chassis.testing import published
from chassis.testing_postgres import on_both_databases
from payments.domain import Answer
from payments.models import Payment
from payments.settling import Claim, Job, ask, claim_due, new_claim, settle
from payments.tests.helpers import (
    DECLINED,
    LossyBank,
    MemoryBank,
    Nobody,
    cancelled,
    claim,
    database_of,
    payment,
    requested,
    state,
    take,
    turn,
)
from payments.usecases import forget_tombstones, payment_requested

pytestmark = on_both_databases


@pytest.fixture
def bank():
    return MemoryBank()


def due_now(app):
    """Let no back-off and no claim stand in the way."""
    with database_of(app).transaction() as session:
        row = session.get_one(Payment, "order-1")
        row.next_at = utc_now()
        if row.claimed_until:
            row.claimed_until = row.created_at


def test_a_payment_is_captured_and_says_so(app, bank):
    take(app, requested())
    assert turn(app, bank) is Answer.CAPTURED
    assert state(app) == "CAPTURED"
    data = {"order_id": "order-1", "amount_cents": 1_500, "currency": "EUR"}
    assert published(app) == [{"type": "payment.captured", "subject": "order-1", "subscriber": "orders", "data": data}]
    assert bank.references == ["order-1"]


def test_a_declined_card_says_so_with_its_reason(app, bank):
    take(app, requested(card=DECLINED))
    turn(app, bank)
    assert (state(app), payment(app).reason) == ("DECLINED", "card_declined")
    assert [(e["type"], e["data"]["reason"]) for e in published(app)] == [("payment.declined", "card_declined")]


@pytest.mark.parametrize("end", ["captured", "declined", "voided", "refunded"])
def test_the_card_is_forgotten_at_the_end(app, bank, end):
    take(app, requested(card=DECLINED if end == "declined" else "4242424242424242"))
    if end in ("voided", "refunded"):
        job = claim(app) if end == "refunded" else None
        take(app, cancelled())
        if job:
            settle(database_of(app), job, ask(bank, job))
    else:
        turn(app, bank)
    assert payment(app).card is None
    assert payment(app).state.lower() in (end, "refunding")


def test_a_repeated_request_changes_nothing(app, bank):
    message = requested()
    take(app, message)
    turn(app, bank)
    take(app, message)
    take(app, requested(amount_cents=1))  # the same payment under another event id
    assert payment(app).amount_cents == 1_500
    assert claim_due(database_of(app), 10, 60) == []
    assert (state(app), len(published(app))) == ("CAPTURED", 1)


def test_a_payment_whose_order_is_cancelled_in_time_is_never_charged(app, bank):
    take(app, requested())
    take(app, cancelled())
    assert state(app) == "VOIDED"
    assert claim_due(database_of(app), 10, 60) == []
    assert published(app) == []


def test_a_cancellation_that_comes_first_stops_the_late_request(app, bank):
    take(app, cancelled())
    take(app, requested())
    assert (state(app), payment(app).amount_cents, payment(app).card) == ("VOIDED", 1_500, None)
    assert claim_due(database_of(app), 10, 60) == []


def test_money_that_was_taken_goes_back_when_the_order_is_cancelled(app, bank):
    take(app, requested())
    turn(app, bank)
    take(app, cancelled())
    assert state(app) == "REFUNDING"
    assert turn(app, bank) is Answer.REFUNDED
    assert (state(app), bank.kept()) == ("REFUNDED", 0)
    assert [e["type"] for e in published(app)] == ["payment.captured", "payment.refunded"]


def test_a_charge_in_flight_is_refunded_as_soon_as_the_bank_answers(app, bank):
    take(app, requested())
    job = claim(app)
    take(app, cancelled())
    assert state(app) == "PENDING"
    settle(database_of(app), job, ask(bank, job))
    assert state(app) == "REFUNDING"
    turn(app, bank)
    assert (state(app), bank.kept()) == ("REFUNDED", 0)
    assert [e["type"] for e in published(app)] == ["payment.refunded"]


def test_a_cancelled_order_with_a_bad_card_stays_declined(app, bank):
    take(app, requested(card=DECLINED))
    turn(app, bank)
    take(app, cancelled())
    assert (state(app), [e["type"] for e in published(app)]) == ("DECLINED", ["payment.declined"])


def test_an_unclear_answer_is_settled_by_looking(app, bank):
    take(app, requested())
    assert turn(app, LossyBank(bank, "answer_lost")) is Answer.UNCLEAR
    due_now(app)
    bank.asked.clear()
    turn(app, bank)
    assert (state(app), bank.asked) == ("CAPTURED", ["look charge-order-1"])


def test_an_unclear_answer_is_settled_by_asking_again_with_the_same_key(app, bank):
    take(app, requested())
    turn(app, LossyBank(bank, "failed"))
    due_now(app)
    turn(app, bank)
    assert (state(app), bank.references) == ("CAPTURED", ["order-1"])


def test_an_unclear_refund_is_settled_by_looking(app, bank):
    take(app, requested())
    turn(app, bank)
    take(app, cancelled())
    turn(app, LossyBank(bank, "answer_lost"))
    assert state(app) == "REFUNDING"
    due_now(app)
    bank.asked.clear()
    turn(app, bank)
    assert (state(app), bank.asked) == ("REFUNDED", ["look charge-order-1"])


def test_a_lost_request_that_arrives_after_the_order_was_cancelled_costs_nothing(app, bank):
    take(app, requested())
    line = LossyBank(bank, "delayed")
    turn(app, line)
    take(app, cancelled())
    assert state(app) == "PENDING"  # "not found" at the bank would prove nothing: the request is still on its way
    due_now(app)
    turn(app, bank)
    turn(app, bank)
    assert state(app) == "REFUNDED"
    line.late.pop()()
    assert (bank.kept(), bank.references) == (0, ["order-1"])


def test_while_the_bank_refuses_the_order_can_still_be_cancelled_without_a_charge(app, bank):
    take(app, requested())
    turn(app, LossyBank(bank, "refused"))
    take(app, cancelled())
    assert (state(app), bank.references) == ("VOIDED", [])


def test_a_refusal_of_a_cancelled_payment_voids_it(app, bank):
    take(app, requested())
    job = claim(app)
    take(app, cancelled())
    settle(database_of(app), job, Answer.NOTHING_DONE)
    assert state(app) == "VOIDED"


def test_a_worker_that_died_after_the_banks_answer_is_replaced(app, bank):
    take(app, requested())
    ask(bank, claim(app))  # and nothing more: it died before it wrote that down
    due_now(app)
    job = claim(app)
    assert job.in_doubt
    settle(database_of(app), job, ask(bank, job))
    assert (state(app), bank.references, len(published(app))) == ("CAPTURED", ["order-1"], 1)


def test_a_payment_of_a_worker_that_died_is_not_voided_blindly(app, bank):
    take(app, requested())
    claim(app)
    due_now(app)
    take(app, cancelled())
    assert state(app) == "PENDING"
    turn(app, bank)
    turn(app, bank)
    assert (state(app), bank.kept()) == ("REFUNDED", 0)


def test_a_refusal_from_a_worker_that_was_overtaken_does_not_free_the_payment(app, bank):
    take(app, requested())
    slow = claim(app)
    due_now(app)
    fast = claim(app)
    settle(database_of(app), slow, Answer.NOTHING_DONE)
    assert payment(app).claim == fast.claim
    take(app, cancelled())
    assert state(app) == "PENDING"
    settle(database_of(app), fast, ask(bank, fast))
    assert state(app) == "REFUNDING"


def test_of_two_workers_with_the_same_answer_one_tells_the_world(app, bank):
    take(app, requested())
    slow = claim(app)
    due_now(app)
    fast = claim(app)
    for job in (fast, slow):
        settle(database_of(app), job, ask(bank, job))
    assert (len(published(app)), bank.references) == (1, ["order-1"])


def test_a_claimed_payment_is_not_due_until_its_claim_ends(app):
    take(app, requested())
    claim(app)
    assert claim_due(database_of(app), 10, 60) == []
    due_now(app)
    assert len(claim_due(database_of(app), 10, 60)) == 1


def test_a_replica_whose_clock_is_ahead_takes_no_claim_that_has_not_ended(make_app, database_url, monkeypatch):
    if database_url.startswith("sqlite"):
        pytest.skip("replicas on one SQLite file are on one machine, and have one clock")
    app = make_app()
    take(app, requested())
    assert len(claim_due(database_of(app), 10, 5)) == 1
    ahead = utc_now() + timedelta(seconds=30)
    monkeypatch.setattr("chassis.clock.utc_now", lambda: ahead)
    monkeypatch.setattr("chassis.database.utc_now", lambda: ahead)
    assert claim_due(database_of(make_app()), 10, 5) == []


def test_no_more_is_claimed_than_there_are_places(app):
    for number in range(5):
        take(app, requested(f"order-{number}"))
    taken = [len(claim_due(database_of(app), 2, 60)) for _ in range(4)]
    assert taken == [2, 2, 1, 0]


def test_after_a_failure_the_payment_waits_before_the_next_try(app, bank):
    take(app, requested())
    before = utc_now()
    turn(app, LossyBank(bank, "failed"))
    assert payment(app).next_at > before
    assert payment(app).tries == 1


def test_the_bank_in_its_own_log_line_never_shows_the_card(app):
    take(app, requested())
    job = claim(app)
    assert job.card == "4242424242424242"
    assert "4242" not in repr(job)
    assert "4242" not in repr(payment(app))


def test_only_tombstones_are_forgotten_by_age(app, bank):
    take(app, cancelled("order-1"))
    for order_id in ("order-2", "order-3"):
        take(app, requested(order_id))
    take(app, cancelled("order-2"))
    database = database_of(app)
    with database.transaction() as session:
        forget_tombstones(session, payment(app).created_at)
    assert state(app) == "VOIDED"
    with database.transaction() as session:
        forget_tombstones(session, utc_now())
    with database.reading() as session:
        assert session.get(Payment, "order-1") is None
    assert (state(app, "order-2"), state(app, "order-3")) == ("VOIDED", "PENDING")


class OneFreeWorker(Nobody):
    """Claims every new payment, and keeps what it is given."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def claim(self, now: datetime) -> Claim | None:
        return new_claim(now, 60)

    def take(self, job: Job) -> None:
        self.jobs.append(job)


def test_a_new_payment_belongs_to_the_worker_that_is_free(app, bank):
    worker = OneFreeWorker()
    payment_requested(database_of(app), worker, requested())
    assert claim_due(database_of(app), 10, 60) == []
    (job,) = worker.jobs
    settle(database_of(app), job, ask(bank, job))
    assert (state(app), bank.references) == ("CAPTURED", ["order-1"])


def test_a_payment_whose_first_worker_died_is_in_doubt_when_its_claim_has_ended(app):
    payment_requested(database_of(app), OneFreeWorker(), requested())
    due_now(app)
    assert claim(app).in_doubt


def test_a_payment_that_comes_twice_is_given_to_one_worker_only(app):
    worker = OneFreeWorker()
    for _ in range(2):
        payment_requested(database_of(app), worker, requested())
    assert len(worker.jobs) == 1
