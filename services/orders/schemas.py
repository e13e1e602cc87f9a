"""The shapes on the wire: what customers send, what they get, and what orders reads from others' events."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from chassis.paging import OperatorPage
from chassis.schemas import Answer, Body, utc_text
from orders.domain import TEST_CARDS, State

Sku = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,32}$")]

Record = Mapping[str, Any]  # a row, by the names of its columns


class LineWanted(Body):
    sku: Sku
    quantity: int = Field(ge=1, le=1000)


class Payment(Body):
    card: str = Field(pattern=r"^[0-9]{12,19}$", repr=False, json_schema_extra={"enum": [*TEST_CARDS]})


class PlaceOrder(Body):
    lines: list[LineWanted] = Field(min_length=1, max_length=50)
    payment: Payment


class OrdersQuery(OperatorPage):
    scope: Literal["mine", "all"] = "mine"


class LineAnswer(Answer):
    sku: str
    name: str
    quantity: int
    price_cents: int


class TransitionAnswer(Answer):
    state: str
    at: datetime


class OrderAnswer(Answer):
    id: str
    customer_id: str
    state: str
    reason: str | None
    lines: list[LineAnswer]
    total_cents: int
    currency: str
    history: list[TransitionAnswer]


class OrdersAnswer(Answer):
    items: list[OrderAnswer]
    next: str | None


class AboutOrder(BaseModel):
    """What orders needs of `stock.reserved` and `payment.*`: which order it is about."""

    order_id: str


def order_answer(order: Record) -> dict[str, Any]:
    """An order as its customer sees it, from its row. The card is not in it."""
    return {
        "id": order["id"],
        "customer_id": order["customer_id"],
        "state": order["state"],
        "reason": order["reason"],
        "lines": order["lines"],
        "total_cents": order["total_cents"],
        "currency": order["currency"],
        "history": [{"state": state, "at": utc_text(at)} for state, at in _history(order)],
    }


def _history(order: Record) -> Iterator[tuple[str, datetime]]:
    yield State.PENDING, order["created_at"]
    if order["reserved_at"] is not None:
        yield State.RESERVED, order["reserved_at"]
    if order["ended_at"] is not None:
        yield order["state"], order["ended_at"]
