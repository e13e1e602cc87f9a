"""The tables of the bank."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime


class Base(DeclarativeBase):
    pass


class Charge(Base):
    """One charge and, once there is one, its refund. Of the card only the last four digits are kept."""

    __tablename__ = "charges"

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(128), unique=True)
    state: Mapped[str] = mapped_column(String(8))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    card_last4: Mapped[str] = mapped_column(String(4))
    reference: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    refund_key: Mapped[str | None] = mapped_column(String(128), unique=True)
    refunded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BehaviourRow(Base):
    """How the bank behaves; one row, absent while everything is at its default."""

    __tablename__ = "behaviour"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    latency_ms: Mapped[int]
    failure_rate: Mapped[float] = mapped_column(Float)
    decline_rate: Mapped[float] = mapped_column(Float)
    away: Mapped[bool]
    answer_after_ms: Mapped[int]
