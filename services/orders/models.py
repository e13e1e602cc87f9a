"""The tables of orders."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime


class Base(DeclarativeBase):
    pass


class Order(Base):
    """An order is one row: its lines are read with it and never change, and it passes each state at most once."""

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    total_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # [{"sku", "name", "quantity", "price_cents"}], by sku
    card: Mapped[str | None] = mapped_column(String(19))  # until the order has ended; never shown
    deadline: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reserved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("orders_of_customer", "customer_id", "created_at", "id"),
        Index("orders_by_age", "created_at", "id"),
        Index("orders_by_deadline", "state", "deadline"),
    )
