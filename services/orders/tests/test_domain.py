import pytest

from chassis.errors import Conflict, Unprocessable
from orders.domain import FROM, OPEN, TEST_CARDS, Line, State, check_cancellable, check_card, merge_quantities


def test_two_lines_of_one_product_become_one():
    assert merge_quantities([("TEA", 2), ("LAMP", 1), ("TEA", 3)]) == {"TEA": 5, "LAMP": 1}


def test_merged_lines_may_not_exceed_a_thousand_pieces():
    with pytest.raises(Unprocessable, match="1000"):
        merge_quantities([("TEA", 600), ("TEA", 401)])


def test_a_lines_total_is_quantity_times_price():
    assert Line("TEA", "Mint tea", 3, 350).total_cents == 1_050


@pytest.mark.parametrize("card", TEST_CARDS)
def test_test_cards_are_accepted(card):
    check_card(card)


def test_any_other_card_is_refused_and_not_repeated():
    with pytest.raises(Unprocessable) as refusal:
        check_card("5555555555554444")
    assert "5555555555554444" not in str(refusal.value) + str(refusal.value.errors)


def test_nothing_leads_out_of_an_end():
    for sources in FROM.values():
        assert set(sources) <= set(OPEN)


def test_a_confirmed_order_cannot_be_cancelled():
    with pytest.raises(Conflict):
        check_cancellable(State.CONFIRMED)
    for state in (State.PENDING, State.RESERVED, State.CANCELLED):
        check_cancellable(state)
