import pytest

from chassis.errors import Conflict, Unprocessable
from inventory.domain import Line, State, after_cancelled, after_confirmed, check_sku, is_sku, merge_lines


def test_the_same_sku_on_two_lines_is_one_line():
    assert merge_lines([("B", 1), ("A", 2), ("B", 3)]) == [Line("A", 2), Line("B", 4)]


def test_lines_are_in_the_order_of_skus_so_that_nobody_waits_in_a_circle():
    assert [line.sku for line in merge_lines([("C", 1), ("A", 1), ("B", 1)])] == ["A", "B", "C"]


@pytest.mark.parametrize("state", [State.RESERVED, State.COMMITTED])
def test_a_confirmed_order_is_committed(state):
    assert after_confirmed(state) is State.COMMITTED


@pytest.mark.parametrize("state", [State.REJECTED, State.RELEASED, State.CANCELLED])
def test_what_was_never_promised_cannot_be_confirmed(state):
    with pytest.raises(Conflict):
        after_confirmed(state)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.RESERVED, State.RELEASED),
        (State.RELEASED, State.RELEASED),
        (State.REJECTED, State.REJECTED),
        (State.CANCELLED, State.CANCELLED),
    ],
)
def test_a_cancelled_order_holds_nothing(before, after):
    assert after_cancelled(before) is after


def test_pieces_that_have_left_cannot_be_released():
    with pytest.raises(Conflict):
        after_cancelled(State.COMMITTED)


@pytest.mark.parametrize("sku", ["SOUK-000001", "A", "-", "A" * 32])
def test_a_sku_is_of_capitals_digits_and_hyphens(sku):
    assert is_sku(sku)
    check_sku(sku)


@pytest.mark.parametrize("sku", ["", "a", "A" * 33, "A B", "A\n", "Ä", "A/B"])
def test_anything_else_is_no_sku(sku):
    assert not is_sku(sku)
    with pytest.raises(Unprocessable):
        check_sku(sku)
