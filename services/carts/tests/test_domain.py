import pytest

from carts.domain import Line, Product, check_room, check_sku, priced, without
from chassis.errors import Conflict, NotFound

LAMP = Product("LAMP", "Lamp", 4500, "EUR")
TEA = Product("TEA", "Tea", 350, "EUR")


def test_a_cart_is_priced_at_todays_prices():
    dearer = Product("LAMP", "New lamp", 5000, "EUR")
    cart = priced([Line(LAMP, 2), Line(TEA, 1)], {"LAMP": dearer, "TEA": TEA})
    assert (cart.lines, cart.total_cents, cart.stale) == ([Line(dearer, 2), Line(TEA, 1)], 10_350, False)


def test_with_nobody_to_ask_the_prices_kept_are_shown_and_it_is_said():
    cart = priced([Line(LAMP, 2)], None)
    assert (cart.lines, cart.total_cents, cart.stale) == ([Line(LAMP, 2)], 9_000, True)


def test_one_product_without_a_price_of_today_makes_the_cart_stale():
    assert priced([Line(LAMP, 1), Line(TEA, 1)], {"LAMP": LAMP}).stale


def test_an_empty_cart_costs_nothing_and_is_never_stale():
    cart = priced([], None)
    assert (cart.lines, cart.total_cents, cart.stale) == ([], 0, False)


def test_only_what_was_ordered_goes_and_never_below_nothing():
    assert without({"A": 5, "B": 1, "C": 2}, [("A", 2), ("B", 3), ("X", 1)]) == {"A": 3, "B": 0}


def test_the_same_sku_on_two_lines_of_an_order_counts_twice():
    assert without({"A": 5}, [("A", 2), ("A", 1)]) == {"A": 2}


def test_the_fifty_first_product_finds_no_room():
    check_room(49)
    with pytest.raises(Conflict):
        check_room(50)


@pytest.mark.parametrize("sku", ["", "lamp", "A" * 33, "A\n", "\x00"])
def test_a_sku_that_can_be_none_is_unknown(sku):
    with pytest.raises(NotFound):
        check_sku(sku)
