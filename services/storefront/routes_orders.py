"""Orders: checkout, one order followed to its end, all of one's orders."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for

from chassis.errors import Conflict, DeadlinePassed, Problem, TooManyRequests, Unavailable, Unprocessable
from storefront import usecases
from storefront.clients import neighbours
from storefront.pages import page
from storefront.schemas import Checkout
from storefront.session import access_token

orders = Blueprint("orders", __name__)


@orders.get("/checkout")
def checkout() -> Any:
    """The form that orders what is in the cart now, with the key under which it is ordered once."""
    cart = neighbours().carts.mine(access_token())
    if not cart["items"]:
        return redirect(url_for("shop.cart"), 303)
    return page("checkout.html", cart=cart, **_form(Checkout.of_cart(cart), cart["items"]))


@orders.post("/checkout")
def place() -> Any:
    """Place the order of the form, and show it. Sent again, the same order is shown."""
    wanted = Checkout.of_form(request.form)
    try:
        order = neighbours().orders.place(access_token(), wanted)
    except Conflict:
        flash("This form has placed an order before; look for it here before you order again.")
        return redirect(url_for("orders.index"), 303)
    except (Unprocessable, Unavailable, DeadlinePassed, TooManyRequests) as problem:
        return _try_again(wanted, problem)
    return redirect(url_for("orders.show", order_id=order["id"]), 303)


@orders.get("/orders")
def index() -> Any:
    found = neighbours().orders.mine(access_token(), request.args.get("cursor"))
    return page("orders.html", orders=found)


@orders.get("/orders/<uuid:order_id>")
def show(order_id: UUID) -> Any:
    order = usecases.follow(neighbours(), access_token(), str(order_id))
    # What was just ordered may still be in the cart for a moment; better no badge than one that counts it.
    on_its_way = {} if order["final"] else {"cart": None}
    return page("order.html", order=order, **on_its_way)


@orders.get("/orders/<uuid:order_id>/news")
def news(order_id: UUID) -> Any:
    """How an order is doing, for the script on its page: the part that changes, as HTML made by the same template."""
    order = usecases.follow(neighbours(), access_token(), str(order_id))
    html = render_template("_progress.html", order=order)
    return {"state": order["state"], "final": order["final"], "payment": order["payment"], "html": html}


@orders.post("/orders/<uuid:order_id>/cancellation")
def cancel(order_id: UUID) -> Any:
    flash(usecases.cancel(neighbours(), access_token(), str(order_id)))
    return redirect(url_for("orders.show", order_id=order_id), 303)


def _form(wanted: Checkout, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"checkout": wanted, "lines": lines, "total_cents": usecases.total_cents(lines)}


def _try_again(wanted: Checkout, problem: Problem) -> Any:
    """The same form with the same key: perhaps the order was placed and only its answer was lost."""
    html, status = page(
        "checkout.html", problem.status, problem=problem, **_form(wanted, usecases.summary(neighbours(), wanted))
    )
    return html, status, {"Retry-After": str(round(problem.retry_after))} if problem.retry_after else {}
