import pytest

from notifications.domain import REASONS, cancelled, confirmed, money, welcome


@pytest.mark.parametrize(
    ("cents", "text"),
    [(0, "0.00 EUR"), (5, "0.05 EUR"), (100, "1.00 EUR"), (123_456_789, "1,234,567.89 EUR")],
)
def test_money_is_written_to_the_cent(cents, text):
    assert money(cents, "EUR") == text


def test_a_welcome_greets_by_name():
    assert "Hello Ada," in welcome("Ada").body


def test_a_confirmation_says_which_order_and_how_much():
    words = confirmed("0123456789", 4_999, "EUR")
    assert words.subject == "Your order 01234567 is confirmed"
    assert "0123456789" in words.body and "49.99 EUR" in words.body


@pytest.mark.parametrize("reason", REASONS)
def test_a_cancellation_says_why(reason):
    assert REASONS[reason] in cancelled("order-1", 100, "EUR", reason).body


@pytest.mark.parametrize("reason", [None, "a_reason_from_next_year"])
def test_without_a_reason_that_we_know_a_cancellation_says_none(reason):
    body = cancelled("order-1", 100, "EUR", reason).body
    assert "is cancelled.\n" in body and "because" not in body
