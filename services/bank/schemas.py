"""The shapes on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from chassis.schemas import Answer, Body, Text, utc_text

MOST_CENTS = 10**15
LONGEST_MS = 60_000

Record = Mapping[str, Any]  # a row, by the names of its columns
Reference = Annotated[Text, StringConstraints(min_length=1, max_length=128)]


class ChargeWanted(Body):
    amount_cents: int = Field(ge=0, le=MOST_CENTS)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    card: str = Field(pattern=r"^[0-9]{12,19}$", repr=False)
    reference: Reference


class RefundWanted(Body):
    charge_key: Reference


class BehaviourWanted(Body):
    """What is left out stays as it is."""

    latency_ms: int = Field(default=0, ge=0, le=LONGEST_MS)
    failure_rate: float = Field(default=0.0, ge=0, le=1)
    decline_rate: float = Field(default=0.0, ge=0, le=1)
    away: bool = False
    answer_after_ms: int = Field(default=0, ge=0, le=LONGEST_MS)


class BehaviourAnswer(Answer):
    latency_ms: int
    failure_rate: float
    decline_rate: float
    away: bool
    answer_after_ms: int


class ChargeAnswer(Answer):
    key: str
    state: str
    amount_cents: int
    currency: str
    reference: str


class RefundAnswer(Answer):
    key: str
    charge_key: str
    state: str
    amount_cents: int
    currency: str
    reference: str


class ChargeItem(ChargeAnswer):
    card_last4: str
    created_at: str
    refund_key: str | None
    refunded_at: str | None


class ChargesAnswer(Answer):
    items: list[ChargeItem]
    next: str | None


def charge_answer(charge: Record) -> dict[str, Any]:
    """A charge as it stands now, without its refund's key."""
    return {name: charge[name] for name in ("key", "state", "amount_cents", "currency", "reference")}


def charge_item(charge: Record) -> dict[str, Any]:
    """A charge with everything that is known of it."""
    return charge_answer(charge) | {
        "card_last4": charge["card_last4"],
        "created_at": utc_text(charge["created_at"]),
        "refund_key": charge["refund_key"],
        "refunded_at": utc_text(charge["refunded_at"]) if charge["refunded_at"] else None,
    }


def refund_answer(charge: Record) -> dict[str, Any]:
    """The refund of a charge."""
    return charge_answer(charge) | {"key": charge["refund_key"], "charge_key": charge["key"]}
