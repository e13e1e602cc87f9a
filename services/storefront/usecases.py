"""What the pages do, one verb each: which neighbours are asked, and which of them a page can do without."""

from dataclasses import dataclass
from typing import Any

from chassis.errors import Conflict
from storefront.clients import Json, Neighbours, if_possible
from storefront.domain import FINAL, MOST_PIECES
from storefront.schemas import Checkout


@dataclass(frozen=True)
class Listing:
    """One page of products. `categories` is empty when they cannot be had."""

    items: list[Json]
    next: str | None
    categories: list[Json]


def browse(shop: Neighbours, q: str, category: str, cursor: str) -> Listing:
    """A page of products. Raises Unavailable when the catalog is away."""
    found = shop.catalog.products(q=q, category=category, cursor=cursor)
    return Listing(found["items"], found["next"], if_possible(shop.catalog.categories) or [])


def look_at(shop: Neighbours, sku: str) -> tuple[Json, int | None]:
    """A product and how many there are; None when inventory does not say."""
    product = shop.catalog.product(sku)
    stock = if_possible(lambda: shop.inventory.stock(sku))
    return product, stock["available"] if stock else None


def add_to_cart(shop: Neighbours, token: str, sku: str, quantity: int) -> None:
    """So many pieces more of a product. The API sets quantities, so two tabs at once may count as one."""
    there = {item["sku"]: item["quantity"] for item in shop.carts.mine(token)["items"]}
    shop.carts.put(token, sku, min(there.get(sku, 0) + quantity, MOST_PIECES))


def change_cart(shop: Neighbours, token: str, sku: str, quantity: int) -> None:
    """Exactly so many pieces of a product; 0 removes it."""
    if quantity:
        shop.carts.put(token, sku, quantity)
    else:
        shop.carts.remove(token, sku)


def categories_of(shop: Neighbours, cart: Json) -> dict[str, str]:
    """The categories of what is in a cart, for the pictures; nothing when the catalog is away."""
    skus = [item["sku"] for item in cart["items"]]
    found = if_possible(lambda: shop.catalog.some(skus)) if skus else None
    return {product["sku"]: product["category"] for product in found or []}


def summary(shop: Neighbours, checkout: Checkout) -> list[Json]:
    """The lines of a checkout with names and prices, as far as the catalog says them."""
    skus = [sku for sku, _ in checkout.lines]
    found = if_possible(lambda: shop.catalog.some(skus)) or []
    known = {product["sku"]: product for product in found}
    return [{"sku": sku, "name": sku, **known.get(sku, {}), "quantity": n} for sku, n in checkout.lines]


def total_cents(lines: list[Json]) -> int | None:
    """What the lines cost together; None when a price is not known."""
    if any("price_cents" not in line for line in lines):
        return None
    return sum(int(line["price_cents"]) * int(line["quantity"]) for line in lines)


def follow(shop: Neighbours, token: str, order_id: str) -> Json:
    """An order, with `payment` (its state, or None while there is none or payments is away) and `final`."""
    order = shop.orders.one(token, order_id)
    payment = None
    if order["state"] != "PENDING":  # before that nothing was asked of payments
        payment = if_possible(lambda: shop.payments.of_order(token, order_id))
    return {**order, "payment": payment["state"] if payment else None, "final": order["state"] in FINAL}


def cancel(shop: Neighbours, token: str, order_id: str) -> str:
    """Cancel an order; what to tell the customer."""
    try:
        shop.orders.cancel(token, order_id)
    except Conflict:
        return "This order was confirmed just now, so it can no longer be cancelled."
    return "The order is cancelled. Nothing stays charged."


def sign_up(shop: Neighbours, email: str, password: str, name: str) -> dict[str, Any]:
    """Make an account and sign it in: its tokens."""
    shop.accounts.sign_up(email, password, name)
    return shop.accounts.sign_in(email, password)


def sign_in(shop: Neighbours, email: str, password: str) -> tuple[dict[str, Any], str]:
    """The tokens of an account, and how to call its owner. Raises Unauthenticated."""
    tokens = shop.accounts.sign_in(email, password)
    user = if_possible(lambda: shop.accounts.me(tokens["access_token"]))
    return tokens, str(user["name"]) if user else email.partition("@")[0]
