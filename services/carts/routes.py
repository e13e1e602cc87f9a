"""HTTP in: parse, one use case, answer."""

from typing import Any

from apiflask import APIBlueprint

from carts import usecases
from carts.clients import Catalog
from carts.schemas import CartAnswer, ItemWanted, cart_answer
from chassis.calls import app_calls
from chassis.database import app_database
from chassis.identity import caller, requires
from chassis.openapi import answers, takes
from chassis.web import app_settings

routes = APIBlueprint("carts", __name__, url_prefix="/api/carts")


@routes.get("/mine")
@requires("customer")
@answers(CartAnswer)
def show() -> dict[str, Any]:
    """One's cart at today's prices; `stale` says that some are older, since the catalog is away."""
    return cart_answer(usecases.get_cart(app_database(), _catalog(), caller().id))


@routes.put("/mine/items/<sku>")
@requires("customer")
@takes(ItemWanted)
@answers(CartAnswer, also={409: "50 different products are in the cart already"})
def put(sku: str, json_data: ItemWanted) -> dict[str, Any]:
    """Set how many pieces of a product are in the cart; answers the cart."""
    cart = usecases.put_item(app_database(), _catalog(), caller().id, sku, json_data.quantity)
    return cart_answer(cart)


@routes.delete("/mine/items/<sku>")
@requires("customer")
@answers(CartAnswer)
def remove(sku: str) -> dict[str, Any]:
    """Take a product out of the cart, if it is in it; answers the cart."""
    return cart_answer(usecases.remove_item(app_database(), _catalog(), caller().id, sku))


def _catalog() -> Catalog:
    return Catalog(app_calls(), app_settings().catalog_timeout_s)
