"""The rules of an order: its states, which follows which, and what may be ordered. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Conflict, Unprocessable


class State(StrEnum):
    PENDING = "PENDING"  # placed; stock has been asked for
    RESERVED = "RESERVED"  # stock is put aside; the payment has been asked for
    CONFIRMED = "CONFIRMED"  # paid: the end
    CANCELLED = "CANCELLED"  # given up, for the reason beside it: the end


class Reason(StrEnum):
    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_DECLINED = "payment_declined"
    DEADLINE = "deadline"
    CUSTOMER = "customer"


OPEN = (State.PENDING, State.RESERVED)

# Which states an order may be in for each transition.
FROM: Mapping[State, tuple[State, ...]] = {
    State.RESERVED: (State.PENDING,),
    State.CONFIRMED: (State.RESERVED,),
    State.CANCELLED: OPEN,
}

# Numbers that stand for cards. Any other is refused, so that no real number is ever stored.
TEST_CARDS = ("4242424242424242", "4000000000000002", "4000000000000259")


@dataclass(frozen=True)
class Line:
    """So many pieces of one product at the price that it had when the order was placed."""

    sku: str
    name: str
    quantity: int
    price_cents: int

    @property
    def total_cents(self) -> int:
        return self.quantity * self.price_cents


def merge_quantities(wanted: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The same product on two lines is one line. Raises Unprocessable when that makes it more than 1,000."""
    merged: Counter[str] = Counter()
    for sku, quantity in wanted:
        merged[sku] += quantity
    if too_many := [sku for sku, quantity in merged.items() if quantity > 1000]:
        errors = [{"field": "lines", "message": f"more than 1000 pieces of {sku}"} for sku in too_many]
        raise Unprocessable("at most 1000 pieces of a product in one order", errors=errors)
    return dict(merged)


def check_card(card: str) -> None:
    """Raises Unprocessable for any card that is not one of the three test cards. Never repeats the number."""
    if card not in TEST_CARDS:
        message = f"not a test card; use one of {', '.join(TEST_CARDS)}"
        raise Unprocessable("this card is not accepted", errors=[{"field": "payment.card", "message": message}])


def check_cancellable(state: State) -> None:
    """Raises Conflict for a confirmed order; cancelling a cancelled one again is fine."""
    if state is State.CONFIRMED:
        raise Conflict("this order is confirmed and can no longer be cancelled")
