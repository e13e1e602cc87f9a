"""The rules of a reservation: its states, and what an event does in each of them. Pure.

    order.placed    -> RESERVED or REJECTED
    order.confirmed    RESERVED -> COMMITTED    the pieces leave
    order.cancelled    RESERVED -> RELEASED     the pieces are free again

Events may come late or in another order. The first one about an order makes its reservation, and a later one
that has nothing to change changes nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Conflict, Unprocessable

SKU = "^[A-Z0-9-]{1,32}$"


class State(StrEnum):
    RESERVED = "RESERVED"  # put aside: the only open state
    REJECTED = "REJECTED"  # some line could not be had, so nothing was put aside
    COMMITTED = "COMMITTED"  # confirmed: the pieces have left
    RELEASED = "RELEASED"  # cancelled: the pieces are free again
    CANCELLED = "CANCELLED"  # cancelled before it was placed: a late order.placed finds this and does nothing


@dataclass(frozen=True)
class Change:
    """What becomes of a stock row for each piece of a line, and what its movement is called."""

    kind: str
    on_hand: int
    reserved: int


RESERVE = Change("RESERVED", 0, +1)
RELEASE = Change("RELEASED", 0, -1)
COMMIT = Change("COMMITTED", -1, -1)
COMMIT_UNRESERVED = Change("COMMITTED", -1, 0)  # confirmed before it was placed, as far as we have heard
COUNTED = "COUNTED"  # the movement by which an operator or the seed says how many there are


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


def is_sku(text: str) -> bool:
    """Whether there can be stock of this: 1 to 32 of A-Z, 0-9 and the hyphen."""
    return re.fullmatch(SKU, text) is not None


def check_sku(text: str) -> None:
    """Raises Unprocessable for a sku that no product can have."""
    if not is_sku(text):
        message = "1 to 32 of A-Z, 0-9 and -"
        raise Unprocessable("this is not a sku", errors=[{"field": "sku", "message": message}])


def merge_lines(lines: Iterable[tuple[str, int]]) -> list[Line]:
    """One line for each sku, in the order of skus. All who lock rows in one order never wait in a circle."""
    merged: Counter[str] = Counter()
    for sku, quantity in lines:
        merged[sku] += quantity
    return [Line(sku, quantity) for sku, quantity in sorted(merged.items())]


def after_confirmed(state: State) -> State:
    """Raises Conflict for an order that has nothing reserved: somebody confirmed what we did not promise."""
    if state in (State.RESERVED, State.COMMITTED):
        return State.COMMITTED
    raise Conflict(f"an order whose reservation is {state} cannot be confirmed")


def after_cancelled(state: State) -> State:
    """Raises Conflict for an order whose pieces have left."""
    if state is State.COMMITTED:
        raise Conflict("an order whose pieces have left cannot be cancelled")
    return State.RELEASED if state is State.RESERVED else state
