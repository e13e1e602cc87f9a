import pytest

from payments.domain import Answer, Standing, State, answered, back_off_s, cancelled, charge_key, direct_key

FINAL = [State.DECLINED, State.VOIDED, State.REFUNDED]
ASKING = Standing(State.PENDING, claimed=True)
REFUNDING = Standing(State.REFUNDING, cancelled=True, claimed=True)


def test_a_payment_that_nobody_asked_the_bank_about_is_voided():
    assert cancelled(Standing(State.PENDING)) == Standing(State.VOIDED, cancelled=True)


@pytest.mark.parametrize(
    "standing",
    [ASKING, Standing(State.PENDING, in_doubt=True), Standing(State.PENDING, claimed=True, in_doubt=True)],
)
def test_a_payment_that_the_bank_may_know_is_only_marked(standing):
    after = cancelled(standing)
    assert (after.state, after.cancelled) == (State.PENDING, True)
    assert (after.claimed, after.in_doubt) == (standing.claimed, standing.in_doubt)


def test_money_that_was_taken_for_a_cancelled_order_is_given_back():
    assert cancelled(Standing(State.CAPTURED)) == Standing(State.REFUNDING, cancelled=True)


@pytest.mark.parametrize("state", [*FINAL, State.REFUNDING])
def test_cancelling_changes_nothing_where_there_is_nothing_to_give_back(state):
    assert cancelled(Standing(state)) == Standing(state)


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [
        (ASKING, Answer.CAPTURED, State.CAPTURED),
        (ASKING, Answer.DECLINED, State.DECLINED),
        (cancelled(ASKING), Answer.CAPTURED, State.REFUNDING),
        (cancelled(ASKING), Answer.DECLINED, State.DECLINED),
        (REFUNDING, Answer.REFUNDED, State.REFUNDED),
    ],
)
def test_what_the_bank_did_is_true_whoever_brings_the_answer(before, answer, after, mine):
    assert answered(before, answer, mine) == Standing(after, before.cancelled)


@pytest.mark.parametrize("before", [ASKING, cancelled(ASKING), REFUNDING])
@pytest.mark.parametrize("answer", [Answer.UNCLEAR, Answer.CONFLICT])
def test_an_unclear_answer_leaves_the_payment_in_doubt(before, answer):
    after = answered(before, answer, mine=True)
    assert (after.state, after.claimed, after.in_doubt) == (before.state, False, True)


def test_a_payment_that_was_surely_not_made_can_be_voided_again():
    assert answered(ASKING, Answer.NOTHING_DONE, mine=True) == Standing(State.PENDING)
    assert answered(cancelled(ASKING), Answer.NOTHING_DONE, mine=True).state is State.VOIDED


def test_a_refusal_does_not_end_the_doubt_about_an_earlier_request():
    doubtful = Standing(State.PENDING, cancelled=True, claimed=True, in_doubt=True)
    after = answered(doubtful, Answer.NOTHING_DONE, mine=True)
    assert after == Standing(State.PENDING, cancelled=True, in_doubt=True)


@pytest.mark.parametrize("answer", [Answer.NOTHING_DONE, Answer.UNCLEAR, Answer.CONFLICT])
@pytest.mark.parametrize("before", [ASKING, cancelled(ASKING), REFUNDING])
def test_a_worker_that_was_overtaken_says_nothing_about_the_one_that_overtook_it(before, answer):
    assert answered(before, answer, mine=False) == before


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("state", [*FINAL, State.CAPTURED])
def test_an_answer_that_comes_after_the_end_changes_nothing(state, answer):
    assert answered(Standing(state), answer, mine=True) == Standing(state)


def test_a_late_answer_to_the_charge_does_not_end_a_refund():
    assert answered(REFUNDING, Answer.CAPTURED, mine=False) == REFUNDING
    assert answered(REFUNDING, Answer.DECLINED, mine=False) == REFUNDING


def test_the_pauses_grow_to_two_seconds():
    pauses = [back_off_s(tries) for tries in range(1, 8)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.5 and pauses[-1] == 2
    assert back_off_s(10**9) == 2


def test_a_charge_by_name_cannot_have_the_key_of_an_order():
    assert charge_key("x") != direct_key("x")
