"""The tables of inventory."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime, utc_now

Number = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Stock(Base):
    __tablename__ = "stock"

    sku: Mapped[str] = mapped_column(String(32), primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)  # includes the reserved ones
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)

    # The conditional UPDATEs keep to this by themselves; a bug in one becomes an error and not an oversale.
    __table_args__ = (CheckConstraint("on_hand >= reserved AND reserved >= 0", name="never_oversold"),)


class Reservation(Base):
    __tablename__ = "reservations"

    seq: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    order_id: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # [{"sku", "quantity"}], one for each sku
    missing_sku: Mapped[str | None] = mapped_column(String(32))  # of a rejected one: what there was too little of
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (Index("reservations_by_state", "state", "seq"),)


class Movement(Base):
    """One change of a stock row. Rows are added and never changed."""

    __tablename__ = "movements"

    seq: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    sku: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    on_hand_delta: Mapped[int] = mapped_column(BigInteger)
    reserved_delta: Mapped[int] = mapped_column(BigInteger)
    order_id: Mapped[str | None] = mapped_column(String(64))
    operator: Mapped[str | None] = mapped_column(String(64))  # a user's id, or "seed"
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (
        Index("movements_by_sku", "sku", "seq"),
        Index("movements_by_order", "order_id", "seq"),
    )
