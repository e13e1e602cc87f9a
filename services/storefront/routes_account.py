"""The customer: signing up, in and out, and the messages that the shop has sent."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from chassis.errors import Conflict, Problem, Unauthenticated, Unprocessable
from storefront import session, usecases
from storefront.clients import if_possible, neighbours
from storefront.domain import safe_next
from storefront.pages import page

account = Blueprint("account", __name__)


@account.get("/sign-in")
def sign_in() -> Any:
    return page("sign_in.html", next=safe_next(request.args.get("next")), email="")


@account.post("/sign-in")
def do_sign_in() -> Any:
    """Sign in, and go on to where the customer was heading."""
    following, email = safe_next(request.form.get("next")), request.form.get("email", "").strip()
    try:
        tokens, name = usecases.sign_in(neighbours(), email, request.form.get("password", ""))
    except (Unauthenticated, Unprocessable):
        return page("sign_in.html", 422, next=following, email=email, wrong=True)
    session.remember(tokens, name)
    return redirect(following, 303)


@account.get("/sign-up")
def sign_up() -> Any:
    return page("sign_up.html", next=safe_next(request.args.get("next")), form={}, wrong={})


@account.post("/sign-up")
def do_sign_up() -> Any:
    """Make an account and sign it in."""
    following, form = safe_next(request.form.get("next")), request.form
    name, email = form.get("name", "").strip(), form.get("email", "").strip()
    try:
        tokens = usecases.sign_up(neighbours(), email, form.get("password", ""), name)
    except (Conflict, Unprocessable) as problem:
        return page("sign_up.html", 422, next=following, form=form, wrong=_by_field(problem))
    session.remember(tokens, name)
    flash(f"Welcome, {name}. You are signed in.")
    return redirect(following, 303)


@account.post("/sign-out")
def sign_out() -> Any:
    """Forget the customer here; accounts forgets the refresh token too, if it can be reached."""
    if session.is_signed_in():
        refresh_token = session.refresh_token()
        if_possible(lambda: neighbours().accounts.sign_out(session.access_token(), refresh_token))
    session.forget()
    flash("You are signed out.")
    return redirect(url_for("shop.index"), 303)


@account.get("/notifications")
def notifications() -> Any:
    token = session.access_token()
    messages = neighbours().notifications.mine(token, request.args.get("cursor"))
    return page("notifications.html", messages=messages)


def _by_field(problem: Problem) -> dict[str, str]:
    if isinstance(problem, Conflict):
        return {"email": "There is an account with this address already. Sign in instead."}
    return {error["field"]: error["message"] for error in problem.errors} or {"": problem.detail}
