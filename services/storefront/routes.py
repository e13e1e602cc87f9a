"""The shop: products and the cart. Parse, one use case, a page."""

from typing import Any

from flask import Blueprint, redirect, request, url_for

from storefront import usecases
from storefront.clients import neighbours
from storefront.domain import quantity_of
from storefront.pages import page
from storefront.session import access_token

shop = Blueprint("shop", __name__)


@shop.get("/")
def index() -> Any:
    """Products, by search and category, a page at a time."""
    query = {name: request.args.get(name, "").strip() for name in ("q", "category", "cursor")}
    query["q"] = query["q"][:100]
    return page("products.html", listing=usecases.browse(neighbours(), **query), **query)


@shop.get("/products/<sku>")
def product(sku: str) -> Any:
    """One product, how many there are, and how to get it."""
    found, available = usecases.look_at(neighbours(), sku)
    return page("product.html", product=found, available=available)


@shop.get("/cart")
def cart() -> Any:
    found = neighbours().carts.mine(access_token())
    return page("cart.html", cart=found, categories=usecases.categories_of(neighbours(), found))


@shop.post("/cart")
def add() -> Any:
    """Add pieces to the cart, and show it."""
    quantity = quantity_of(request.form.get("quantity", "1"))
    usecases.add_to_cart(neighbours(), access_token(), request.form.get("sku", ""), quantity)
    return redirect(url_for("shop.cart"), 303)


@shop.post("/cart/<sku>")
def change(sku: str) -> Any:
    """Change how many of a product are in the cart, or remove it."""
    quantity = 0 if "remove" in request.form else quantity_of(request.form.get("quantity", ""), least=0)
    usecases.change_cart(neighbours(), access_token(), sku, quantity)
    return redirect(url_for("shop.cart"), 303)
