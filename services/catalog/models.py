"""The table of catalog.

With 100,000 products: one product, a set of skus and a page by sku walk the primary key; a category's page walks
`products_by_category`, which also counts the categories without touching the table. A search has no index,
since it looks inside words: it walks the primary key and stops when the page is full, so a frequent word costs
little, and one that nobody has costs a walk through all of them (some 30 ms in SQLite).
"""

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"

    sku: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(40))
    price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    search: Mapped[str] = mapped_column(Text)  # name and description, case folded

    __table_args__ = (Index("products_by_category", "category", "sku"),)
