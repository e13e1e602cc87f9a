"""The shapes on the wire: what operators send and get, and what inventory reads from others' events."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from chassis.paging import OperatorPage
from chassis.schemas import Answer, Body, Text, utc_text
from inventory.domain import SKU, Line, State, merge_lines
from inventory.models import Movement, Reservation, Stock

Sku = Annotated[str, Field(pattern=SKU)]
OrderId = Annotated[Text, Field(min_length=1, max_length=64)]


class StockCounted(Body):
    on_hand: int = Field(ge=0, le=1_000_000_000)


class ReservationsQuery(OperatorPage):
    order_id: OrderId | None = None
    state: State | None = None


class MovementsQuery(OperatorPage):
    order_id: OrderId | None = None
    sku: Sku | None = None


class StockAnswer(Answer):
    sku: str
    on_hand: int = Field(description="includes the reserved ones")
    reserved: int
    available: int


class LineAnswer(Answer):
    sku: str
    quantity: int


class ReservationAnswer(Answer):
    order_id: str
    state: State
    lines: list[LineAnswer]
    missing_sku: str | None
    created_at: datetime
    changed_at: datetime


class MovementAnswer(Answer):
    seq: int
    sku: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    order_id: str | None
    operator: str | None
    at: datetime


class StockList(Answer):
    items: list[StockAnswer]
    next: str | None


class ReservationList(Answer):
    items: list[ReservationAnswer]
    next: str | None


class MovementList(Answer):
    items: list[MovementAnswer]
    next: str | None


class OrderedLine(BaseModel):
    sku: Sku
    quantity: int = Field(ge=1, le=1_000_000)


class OrderWithLines(BaseModel):
    """What inventory needs of `order.placed` and `order.confirmed`."""

    order_id: OrderId
    lines: list[OrderedLine] = Field(min_length=1)

    def merged(self) -> list[Line]:
        return merge_lines((line.sku, line.quantity) for line in self.lines)


class AboutOrder(BaseModel):
    """What inventory needs of `order.cancelled`."""

    order_id: OrderId


class AboutProduct(BaseModel):
    """What inventory needs of `product.changed`."""

    sku: Sku


def stock_answer(stock: Stock) -> dict[str, Any]:
    available = stock.on_hand - stock.reserved
    return {"sku": stock.sku, "on_hand": stock.on_hand, "reserved": stock.reserved, "available": available}


def reservation_answer(reservation: Reservation) -> dict[str, Any]:
    return {
        "order_id": reservation.order_id,
        "state": reservation.state,
        "lines": reservation.lines,
        "missing_sku": reservation.missing_sku,
        "created_at": utc_text(reservation.created_at),
        "changed_at": utc_text(reservation.changed_at),
    }


def movement_answer(movement: Movement) -> dict[str, Any]:
    fields = {name: getattr(movement, name) for name in MovementAnswer.model_fields}
    return {**fields, "at": utc_text(movement.at)}
