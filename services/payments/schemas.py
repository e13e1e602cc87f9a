"""The shapes on the wire: what payments reads from others' events, what internal callers send, what it answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.schemas import Answer, Body, utc_text
from payments.models import Payment

MOST_CENTS = 10**15

# It goes on as the bank's key: in a header, and in a path.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
Cents = Annotated[int, Field(ge=0, le=MOST_CENTS)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Card = Annotated[str, Field(pattern=r"^[0-9]{12,19}$", repr=False)]


class PaymentRequested(BaseModel):
    model_config = ConfigDict(strict=True)

    order_id: Id
    customer_id: Id
    amount_cents: Cents
    currency: Currency
    card: Card


class OrderCancelled(BaseModel):
    model_config = ConfigDict(strict=True)

    order_id: Id


class ChargeNow(Body):
    reference: Id
    amount_cents: Cents
    currency: Currency
    card: Card


class ChargeNowAnswer(Answer):
    reference: str
    state: str
    amount_cents: int
    currency: str


class PaymentAnswer(Answer):
    order_id: str
    customer_id: str
    state: str
    reason: str | None
    amount_cents: int
    currency: str
    created_at: datetime
    updated_at: datetime


class PaymentsAnswer(Answer):
    items: list[PaymentAnswer]
    next: str | None


def payment_answer(payment: Payment) -> dict[str, Any]:
    """A payment as its customer sees it. The card is not in it."""
    return {
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "state": payment.state,
        "reason": payment.reason,
        "amount_cents": payment.amount_cents,
        "currency": payment.currency,
        "created_at": utc_text(payment.created_at),
        "updated_at": utc_text(payment.updated_at),
    }
