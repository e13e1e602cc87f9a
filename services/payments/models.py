"""The table of payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime
from payments.domain import Standing, State


class Base(DeclarativeBase):
    pass


class Payment(Base):
    """The payment of one order, or only the mark that its order was cancelled before the payment was asked for.

    Such a tombstone is VOIDED and has no amount. Both share one row and so one primary key: whichever event
    comes second finds the other one's row, in another replica too.
    """

    __tablename__ = "payments"

    order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(String(64))
    amount_cents: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    card: Mapped[str | None] = mapped_column(String(19))  # until it is settled; never shown
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    cancelled: Mapped[bool]
    in_doubt: Mapped[bool]
    claim: Mapped[str | None] = mapped_column(String(36))  # which turn of a worker has it
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    traceparent: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("payments_due", "state", "next_at"),)


def standing_of(payment: Mapping[str, Any]) -> Standing:
    """How the payment of this row stands."""
    return Standing(State(payment["state"]), payment["cancelled"], payment["claim"] is not None, payment["in_doubt"])
