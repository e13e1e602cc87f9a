"""The shapes on the wire: what customers send and get, and what carts reads from others' events."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from carts.domain import MOST_PIECES, SKU, Cart
from chassis.schemas import Answer, Body, Text

CURRENCY = "EUR"  # of an empty cart; any other has its products'


class ItemWanted(Body):
    quantity: int = Field(ge=1, le=MOST_PIECES)


class ItemAnswer(Answer):
    sku: str
    name: str
    quantity: int
    price_cents: int


class CartAnswer(Answer):
    items: list[ItemAnswer]
    total_cents: int
    currency: str
    stale: bool = Field(description="some names or prices are the last ones known, since the catalog is away")


class OrderedLine(BaseModel):
    sku: Annotated[str, Field(pattern=SKU)]
    quantity: int = Field(ge=1)


class OrderPlaced(BaseModel):
    """What carts needs of `order.placed`."""

    customer_id: Annotated[Text, Field(min_length=1, max_length=64)]
    lines: list[OrderedLine]


def cart_answer(cart: Cart) -> dict[str, Any]:
    items = [
        {
            "sku": line.product.sku,
            "name": line.product.name,
            "quantity": line.quantity,
            "price_cents": line.product.price_cents,
        }
        for line in cart.lines
    ]
    currency = cart.lines[0].product.currency if cart.lines else CURRENCY
    return {"items": items, "total_cents": cart.total_cents, "currency": currency, "stale": cart.stale}
