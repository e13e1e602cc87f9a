"""The tables of carts."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime, utc_now


class Base(DeclarativeBase):
    pass


class CartRow(Base):
    """One for each customer who ever had a cart. Whoever changes the lines locks it first, and can count them."""

    __tablename__ = "carts"

    customer_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class LineRow(Base):
    """A product in a cart, with its name and price as they were when it was last put in."""

    __tablename__ = "cart_lines"

    customer_id: Mapped[str] = mapped_column(ForeignKey("carts.customer_id"), primary_key=True)
    sku: Mapped[str] = mapped_column(String(32), primary_key=True)
    quantity: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    price_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
