import pytest

from bank.domain import Behaviour, State, decide, wait_before_answer_s
from bank.tests.helpers import DECLINED, GOOD, LATE


@pytest.mark.parametrize(
    ("card", "state"),
    [
        (GOOD, State.CAPTURED),
        (LATE, State.CAPTURED),
        (DECLINED, State.DECLINED),
        ("5555555555554444", State.DECLINED),
    ],
)
def test_the_card_decides(card, state):
    assert decide(card, decline_rate=0.0, draw=0.0) == state


def test_a_share_of_the_good_cards_is_declined_on_request():
    assert decide(GOOD, decline_rate=0.3, draw=0.29) == State.DECLINED
    assert decide(GOOD, decline_rate=0.3, draw=0.3) == State.CAPTURED
    assert decide(GOOD, decline_rate=1.0, draw=0.999) == State.DECLINED


def test_the_late_card_is_answered_after_the_callers_time_out_and_only_the_first_time():
    assert wait_before_answer_s(Behaviour(), LATE, True, timeout_ms=1_000) > 1
    assert wait_before_answer_s(Behaviour(), LATE, True, timeout_ms=None) == 3
    assert wait_before_answer_s(Behaviour(), LATE, False, timeout_ms=1_000) == 0


def test_no_answer_is_held_back_for_longer_than_a_minute():
    assert wait_before_answer_s(Behaviour(), LATE, True, timeout_ms=10**12) == 60


def test_a_bank_that_answers_late_does_so_for_every_card_and_every_time():
    slow = Behaviour(answer_after_ms=250)
    assert [wait_before_answer_s(slow, GOOD, is_new, 1_000) for is_new in (True, False)] == [0.25, 0.25]
