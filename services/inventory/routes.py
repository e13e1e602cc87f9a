"""HTTP in: parse, one use case, answer."""

from typing import Any

from apiflask import APIBlueprint

from chassis.database import app_database
from chassis.identity import caller, requires
from chassis.openapi import answers, takes
from chassis.paging import OperatorPage
from inventory import books, counting
from inventory.domain import SKU
from inventory.schemas import (
    MovementList,
    MovementsQuery,
    ReservationList,
    ReservationsQuery,
    StockAnswer,
    StockCounted,
    StockList,
    movement_answer,
    reservation_answer,
    stock_answer,
)

routes = APIBlueprint("inventory", __name__, url_prefix="/api/inventory")


@routes.get("/stock/<sku>")
@answers(StockAnswer)
def show(sku: str) -> dict[str, Any]:
    """How many pieces of a product there are, and how many can still be ordered."""
    return stock_answer(books.get_stock(app_database(), sku))


@routes.put("/stock/<sku>")
@requires("operator")
@takes(StockCounted)
@answers(
    StockAnswer, also={201: "the first stock of this sku", 409: "more pieces are reserved"}, paths={"sku": SKU},
    links={"inventory.show": {"sku": "$request.path.sku"}},
)  # fmt: skip
def count(sku: str, json_data: StockCounted) -> tuple[dict[str, Any], int]:
    """Say how many pieces there are, the reserved ones included."""
    stock, created = counting.set_on_hand(app_database(), sku, json_data.on_hand, caller().id)
    return stock_answer(stock), 201 if created else 200


@routes.get("/stock")
@requires("operator")
@routes.input(OperatorPage, location="query")
@answers(StockList)
def stock(query_data: OperatorPage) -> dict[str, Any]:
    """All stock, by sku."""
    rows, following = books.list_stock(app_database(), query_data)
    return {"items": [stock_answer(row) for row in rows], "next": following}


@routes.get("/reservations")
@requires("operator")
@routes.input(ReservationsQuery, location="query")
@answers(ReservationList)
def reservations(query_data: ReservationsQuery) -> dict[str, Any]:
    """What was asked for by orders and what became of it, oldest first."""
    rows, following = books.list_reservations(app_database(), query_data)
    return {"items": [reservation_answer(row) for row in rows], "next": following}


@routes.get("/movements")
@requires("operator")
@routes.input(MovementsQuery, location="query")
@answers(MovementList)
def movements(query_data: MovementsQuery) -> dict[str, Any]:
    """Every change of every stock row, oldest first; the deltas of a sku add up to its row."""
    rows, following = books.list_movements(app_database(), query_data)
    return {"items": [movement_answer(row) for row in rows], "next": following}
