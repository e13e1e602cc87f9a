"""Reading the books: one stock row, and the lists that an operator and the audit go through."""

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from chassis.database import Database
from chassis.errors import NotFound
from chassis.paging import OperatorPage, decode_cursor, paged
from inventory.domain import is_sku
from inventory.models import Movement, Reservation, Stock
from inventory.schemas import MovementsQuery, ReservationsQuery

Rows = tuple[list[Any], str | None]


def get_stock(database: Database, sku: str) -> Stock:
    """Raises NotFound."""
    with database.reading() as session:
        stock = session.get(Stock, sku) if is_sku(sku) else None
    if stock is None:
        raise NotFound(f"there is no stock of {sku}")
    return stock


def list_stock(database: Database, page: OperatorPage) -> Rows:
    """By sku."""
    return _page(database, select(Stock), Stock.sku, str, page)


def list_reservations(database: Database, query: ReservationsQuery) -> Rows:
    """Oldest first, so that whoever reads page after page meets new ones too."""
    statement = select(Reservation)
    if query.order_id is not None:
        statement = statement.where(Reservation.order_id == query.order_id)
    if query.state is not None:
        statement = statement.where(Reservation.state == query.state)
    return _page(database, statement, Reservation.seq, int, query)


def list_movements(database: Database, query: MovementsQuery) -> Rows:
    """Oldest first."""
    statement = select(Movement)
    if query.order_id is not None:
        statement = statement.where(Movement.order_id == query.order_id)
    if query.sku is not None:
        statement = statement.where(Movement.sku == query.sku)
    return _page(database, statement, Movement.seq, int, query)


def _page(
    database: Database, statement: Select[Any], by: InstrumentedAttribute[Any], kind: type, page: OperatorPage
) -> Rows:
    if page.cursor is not None:
        statement = statement.where(by > decode_cursor(page.cursor, kind))
    with database.reading() as session:
        rows = session.scalars(statement.order_by(by).limit(page.limit + 1)).all()
    return paged(rows, page.limit, lambda row: getattr(row, by.key))
