"""HTTP in: parse, one use case, answer."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app

from chassis.calls import app_calls
from chassis.database import app_database
from chassis.errors import Forbidden, Unprocessable
from chassis.idempotency import answer_once, request_key
from chassis.identity import caller, requires
from chassis.openapi import IDEMPOTENCY_KEY, answers, takes
from chassis.web import app_settings, note
from orders import usecases
from orders.clients import Catalog
from orders.schemas import OrderAnswer, OrdersAnswer, OrdersQuery, PlaceOrder, order_answer
from orders.settings import Settings

routes = APIBlueprint("orders", __name__, url_prefix="/api/orders")
ONE_ORDER = {name: {"order_id": "$response.body#/id"} for name in ("orders.show", "orders.cancel")}


@routes.post("")
@requires("customer")
@takes(PlaceOrder)
@answers(
    OrderAnswer, 202, "taken; follow it at Location", also={409: "the key was used with another body", 428: "no key"},
    headers=("Location", "Idempotency-Replayed"), asks=(IDEMPOTENCY_KEY,), links=ONE_ORDER,
)  # fmt: skip
def place(json_data: PlaceOrder) -> Response:
    """Place an order. Needs an Idempotency-Key. The order goes on by itself: follow `Location`."""
    key = request_key(json_data)
    settings: Settings = app_settings()
    database, catalog = app_database(), Catalog(app_calls(), settings.catalog_timeout_s)
    response = answer_once(
        database,
        key,
        lambda: usecases.place_order(
            database, catalog, current_app.extensions["orders.admission"], caller(), json_data, key,
            settings.order_deadline_s,
        ),
    )  # fmt: skip
    note(location=response.headers["Location"])
    return response


@routes.get("")
@requires()
@routes.input(OrdersQuery, location="query")
@answers(OrdersAnswer)
def index(query_data: OrdersQuery) -> dict[str, Any]:
    """One's own orders, newest first; everybody's with `scope=all` for an operator."""
    if query_data.scope == "all" and "operator" not in caller().roles:
        raise Forbidden("only an operator may list everybody's orders")
    if query_data.scope == "mine" and query_data.limit > 100:
        raise Unprocessable("at most 100 on a page", errors=[{"field": "limit", "message": "at most 100"}])
    owner = None if query_data.scope == "all" else caller().id
    orders, following = usecases.list_orders(app_database(), owner, query_data.limit, query_data.cursor)
    return {"items": [order_answer(order) for order in orders], "next": following}


@routes.get("/<order_id>")
@requires()
@answers(OrderAnswer)
def show(order_id: str) -> dict[str, Any]:
    """One order with its history."""
    return order_answer(usecases.get_order(app_database(), caller(), order_id))


@routes.post("/<order_id>/cancellation")
@requires("customer")
@answers(OrderAnswer, 202, also={409: "it is confirmed already"})
def cancel(order_id: str) -> tuple[dict[str, Any], int]:
    """Cancel the order; 409 when it is confirmed already. Asking again is harmless."""
    return order_answer(usecases.cancel_order(app_database(), caller(), order_id)), 202
