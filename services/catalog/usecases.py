"""What can be done with products."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from catalog.domain import check_skus, etag_of, is_sku, search_text, search_words
from catalog.models import Product
from catalog.schemas import ProductAnswer, ProductWritten, product_answer
from chassis.database import Database, insert_all_new, insert_new
from chassis.errors import NotFound, PreconditionFailed
from chassis.outbox import publish
from chassis.paging import decode_cursor, paged

BATCH = 5_000

_column = Product.__table__.c
_SHOWN = select(*(_column[name] for name in ProductAnswer.model_fields))
_BY_SKU = _SHOWN.where(_column.sku == bindparam("wanted"))


def get_product(database: Database, sku: str) -> Row[Any]:
    """Raises NotFound."""
    with database.read() as connection:
        product = connection.execute(_BY_SKU, {"wanted": sku}).one_or_none() if is_sku(sku) else None
    if product is None:
        raise NotFound(f"there is no product {sku}")
    return product


def list_products(
    database: Database, q: str, category: str | None, skus: Sequence[str], limit: int, cursor: str | None
) -> tuple[list[Row[Any]], str | None]:
    """A page of the products that fit every condition given, by sku, and the next cursor."""
    statement = _SHOWN.order_by(_column.sku).limit(limit + 1)
    for word in search_words(q):
        statement = statement.where(_column.search.contains(word, autoescape=True))
    if category is not None:
        statement = statement.where(_column.category == category)
    if skus:
        statement = statement.where(_column.sku.in_(skus))
    if cursor is not None:
        statement = statement.where(_column.sku > decode_cursor(cursor, str))
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return paged(rows, limit, lambda product: product.sku)


def list_categories(database: Database, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the categories that have products, by name, and how many products each has."""
    statement = select(Product.category, func.count().label("products")).group_by(Product.category)
    if cursor is not None:
        statement = statement.where(Product.category > decode_cursor(cursor, str))
    with database.reading() as session:
        rows = session.execute(statement.order_by(Product.category).limit(limit + 1)).mappings().all()
    page, following = paged(rows, limit, lambda row: row["category"])
    return [dict(row) for row in page], following


def put_product(
    database: Database, sku: str, written: ProductWritten, allowed: Callable[[str | None], bool]
) -> tuple[Product, bool]:
    """Create or replace a product; also tells whether it was created. An unchanged one emits nothing.

    allowed: is given the ETag of what is there, None for nothing, and says whether to go on (RFC 9110, 13.1).
    Raises PreconditionFailed, or Unprocessable for a sku that no product can have.
    """
    check_skus([sku])
    values = written.model_dump()
    values["search"] = search_text(written.name, written.description)
    with database.transaction() as session:
        created = insert_new(session, Product.__table__, {"sku": sku, **values})  # waits for one who is just doing it
        product = session.get_one(Product, sku, with_for_update=True)
        if not allowed(None if created else etag_of(product_answer(product))):
            raise PreconditionFailed("the product is not as you expect it; read it again")  # undoes the insert too
        changed = {name: value for name, value in values.items() if getattr(product, name) != value}
        for name, value in changed.items():
            setattr(product, name, value)
        if created or changed:
            publish(session, "product.changed", sku, _changed(product))
    return product, created


def add_missing(database: Database, products: Iterable[dict[str, Any]]) -> int:
    """Add those whose sku is not there yet, as a start and not as changes: no events. Returns how many."""
    added = 0
    rows = ({**product, "search": search_text(product["name"], product["description"])} for product in products)
    while batch := list(islice(rows, BATCH)):
        with database.transaction() as session:  # one for each batch, so that nobody waits for 100,000 rows
            added += len(insert_all_new(session, Product.__table__, batch))
    return added


def _changed(product: Product) -> dict[str, Any]:
    names = ("sku", "name", "price_cents", "currency")
    return {name: getattr(product, name) for name in names}
