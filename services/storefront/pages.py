"""What all pages have in common: how they are rendered, their headers, and errors as pages."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from storefront import domain, session
from storefront.clients import if_possible, neighbours
from storefront.pictures import picture

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
ERRORS = {
    400: ("That did not work", "The form was incomplete or too old. Go back, reload the page and try again."),
    403: ("Not yours", "This belongs to somebody else."),
    404: ("Nothing here", "We looked in every stall. It may have been sold, moved, or never been here."),
    405: ("Not like this", "This page is not meant to be opened in this way."),
    409: ("Not possible now", "Things are no longer as they were when you opened the page."),
    413: ("Too much", "That is more than we can take at once."),
    422: ("That did not work", "Something in it is not right. Go back and try again."),
    429: ("One moment, please", "You are faster than we are. Wait a little, then try again."),
    500: ("Something broke", "It is our fault, not yours. It has been noted under the number below."),
    503: ("The shop is busy", "Too many people at the stalls, or one is being set up anew. Please try again soon."),
}
ERRORS[504] = ERRORS[503]


def use_pages(app: Flask) -> None:
    """Headers, template helpers, and problems as pages where the client accepts HTML."""
    app.jinja_env.filters.update(money=domain.money, moment=domain.moment)
    app.jinja_env.globals.update(
        asset=_asset, picture=picture, is_signed_in=session.is_signed_in, progress=domain.progress,
        cards=domain.TEST_CARDS, shortest_password=domain.SHORTEST_PASSWORD, most=domain.MOST_PIECES,
        titles=domain.TITLES, tags=domain.TAGS, reasons=domain.REASONS, payments=domain.PAYMENTS,
    )  # fmt: skip
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.after_request(_add_headers)
    app.after_request(_problem_as_page)  # runs before the one above: last in, first out


def page(template: str, status: int = 200, /, **values: Any) -> tuple[str, int]:
    """A rendered page. Its cart badge is left out when carts does not answer; a page that has the cart gives it."""
    if session.is_signed_in() and "cart" not in values:
        values["cart"] = if_possible(lambda: neighbours().carts.for_badge(session.access_token()))
    return render_template(template, **values), status


def _problem_as_page(response: Response) -> AnyResponse:
    """One place for every error, raised by us or by the chassis: its problem document becomes a page."""
    if response.mimetype != "application/problem+json" or not _wants_html():
        return response
    if response.status_code == 401:
        session.forget()
        came_from = request.full_path.rstrip("?") if request.method == "GET" else _own_referrer()
        return current_app.redirect(url_for("account.sign_in", next=domain.safe_next(came_from)), 303)
    problem = response.get_json()
    title, text = ERRORS.get(response.status_code, (problem["title"], problem["detail"]))
    again = domain.safe_next(request.full_path.rstrip("?"))
    response.set_data(render_template("error.html", title=title, text=text, problem=problem, again=again))
    response.mimetype = "text/html"
    return response


def _wants_html() -> bool:
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/problem+json"]


def _own_referrer() -> str:
    """The path of the page whose form this was; browsers send it within the shop only."""
    _, _, rest = (request.referrer or "").partition("://")
    host, slash, path = rest.partition("/")
    return slash + path if host == request.host else "/"


def _add_headers(response: AnyResponse) -> AnyResponse:
    response.headers.update(HEADERS)
    if request.endpoint == "static" and response.status_code in (200, 304):
        # A replica of another version may be asked for a file that it has in another form: never for ever then.
        known = request.args.get("v") == _hash(request.path.rpartition("/")[2])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if known else "no-cache"
    elif response.mimetype == "text/html" or session.is_signed_in():
        response.headers["Cache-Control"] = "no-store" if session.is_signed_in() else "private, no-cache"
    return response


def _asset(name: str) -> str:
    """The address of a static file, with a hash of its content: a new content has a new address."""
    return url_for("static", filename=name, v=_hash(name))


@cache
def _hash(name: str) -> str:
    file = Path(__file__).parent / "static" / name
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else ""
