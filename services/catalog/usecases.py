"""What can be done with products."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Integer, bindparam, func, select

from catalog.domain import as_text, check_skus, etag_of, is_sku, search_text, search_words
from catalog.models import Product
from catalog.schemas import ProductAnswer, ProductWritten, product_answer
from chassis.database import Database
from chassis.errors import NotFound, PreconditionFailed
from chassis.inserting import insert_all_new, insert_new
from chassis.outbox import publish
from chassis.paging import decode_cursor, paged
from chassis.prepared import Prepared

BATCH = 5_000

_column = Product.__table__.c
_SHOWN = select(*(_column[name] for name in ProductAnswer.model_fields))
_BY_SKU = Prepared(_SHOWN.where(_column.sku == bindparam("wanted")))

Shown = Mapping[str, Any]  # a product as everybody sees it: `ProductAnswer`


def get_product(database: Database, sku: str) -> Shown:
    """Raises NotFound."""
    with database.look() as connection:
        product = _BY_SKU.row(connection, {"wanted": sku}) if is_sku(sku) else None
    if product is None:
        raise NotFound(f"there is no product {sku}")
    return product


def list_products(
    database: Database, q: str, category: str | None, skus: Sequence[str], limit: int, cursor: str | None
) -> tuple[list[Shown], str | None]:
    """A page of the products that fit every condition given, by sku, and the next cursor."""
    words = [f"%{_escaped(word)}%" for word in search_words(q)]
    values: dict[str, Any] = {f"word_{n}": word for n, word in enumerate(words)}
    values |= {f"sku_{n}": sku for n, sku in enumerate(skus)} | {"rows": limit + 1}
    if category is not None:
        values["of_category"] = category
    if cursor is not None:
        values["after"] = decode_cursor(cursor, str)
    page = _page(len(words), category is not None, len(skus), cursor is not None)
    with database.look() as connection:
        rows = page.rows(connection, values)
    return paged(rows, limit, lambda product: product["sku"])


@lru_cache(maxsize=256)
def _page(words: int, category: bool, skus: int, cursor: bool) -> Prepared:
    """The statement for so many conditions of each kind. To build it takes ten times as long as to run it."""
    statement = _SHOWN.order_by(_column.sku).limit(bindparam("rows", type_=Integer))
    for n in range(words):
        statement = statement.where(_column.search.like(bindparam(f"word_{n}"), escape="/"))
    if category:
        statement = statement.where(_column.category == bindparam("of_category"))
    if skus:
        statement = statement.where(_column.sku.in_([bindparam(f"sku_{n}") for n in range(skus)]))
    if cursor:
        statement = statement.where(_column.sku > bindparam("after"))
    return Prepared(statement)


def _escaped(word: str) -> str:
    """A word whose `%` and `_` stand for themselves in a LIKE."""
    return word.replace("/", "//").replace("%", "/%").replace("_", "/_")


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
        if not allowed(None if created else etag_of(as_text(product_answer(product)))):
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
