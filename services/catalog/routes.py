"""HTTP in: parse, one use case, answer."""

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from catalog import usecases
from catalog.domain import SKU, as_text, check_skus, etag_of
from catalog.schemas import (
    CategoriesAnswer,
    ProductAnswer,
    ProductsAnswer,
    ProductsQuery,
    ProductWritten,
    product_answer,
)
from catalog.settings import Settings
from chassis.database import app_database
from chassis.errors import PreconditionFailed
from chassis.identity import requires
from chassis.openapi import IF_MATCH, IF_NONE_MATCH, answers, takes
from chassis.paging import Page
from chassis.web import app_settings

routes = APIBlueprint("catalog", __name__, url_prefix="/api/catalog")
CACHEABLE: Any = {
    "also": {304: "as in If-None-Match", 412: "not as in If-Match"},
    "headers": ("ETag", "Cache-Control"), "asks": (IF_MATCH, IF_NONE_MATCH),
}  # fmt: skip


@routes.get("/products")
@routes.input(ProductsQuery, location="query")
@answers(ProductsAnswer, **CACHEABLE)
def index(query_data: ProductsQuery) -> Response:
    """Products by sku; `q` searches in name and description, all its words must occur.

    With `sku` (repeatable, up to 100) the answer has those of them that exist, all on one page unless `limit`
    says otherwise.
    """
    skus = request.args.getlist("sku")
    check_skus(skus)
    limit = query_data.limit if "limit" in query_data.model_fields_set else max(query_data.limit, len(skus))
    products, following = usecases.list_products(
        app_database(), query_data.q, query_data.category, skus, limit, query_data.cursor
    )
    return _cacheable({"items": products, "next": following})


@routes.get("/categories")
@routes.input(Page, location="query")
@answers(CategoriesAnswer, **CACHEABLE)
def categories(query_data: Page) -> Response:
    """The categories by name, and how many products each has."""
    items, following = usecases.list_categories(app_database(), query_data.limit, query_data.cursor)
    return _cacheable({"items": items, "next": following})


@routes.get("/products/<sku>")
@answers(ProductAnswer, **CACHEABLE)
def show(sku: str) -> Response:
    """One product."""
    return _cacheable(usecases.get_product(app_database(), sku))


@routes.put("/products/<sku>")
@requires("operator")
@takes(ProductWritten)
@answers(
    ProductAnswer, also={201: "created", 412: "`If-Match` or `If-None-Match` does not hold"},
    headers=("ETag", "Content-Location"), asks=(IF_MATCH, IF_NONE_MATCH), paths={"sku": SKU},
    links={"catalog.show": {"sku": "$request.path.sku"}},
)  # fmt: skip
def put(sku: str, json_data: ProductWritten) -> Response:
    """Create (201) or replace (200) a product. `If-Match` with its ETag guards against a lost update."""
    product, created = usecases.put_product(app_database(), sku, json_data, _precondition_holds)
    text = as_text(product_answer(product))
    response = Response(text, 201 if created else 200, mimetype="application/json")
    response.headers["Content-Location"] = request.path  # the body is what a GET would answer, so the ETag fits
    response.set_etag(etag_of(text))
    return response


def _precondition_holds(etag: str | None) -> bool:
    """`If-Match` and `If-None-Match` of this request against what is there (RFC 9110, 13.1.1 and 13.1.2)."""
    wanted, unwanted = request.if_match, request.if_none_match
    if wanted and (etag is None or not wanted.contains(etag)):
        return False
    return not (unwanted and etag is not None and unwanted.contains_weak(etag))


def _cacheable(answer: Mapping[str, Any]) -> Response:
    """The answer with its ETag, or 304 to whoever has it already."""
    settings: Settings = app_settings()
    response = Response(text := as_text(answer), mimetype="application/json")
    response.headers["Cache-Control"] = f"public, max-age={settings.product_max_age_s}"
    response.set_etag(etag := etag_of(text))
    if request.if_match and not request.if_match.contains(etag):
        raise PreconditionFailed("this is not as you expect it; read it without If-Match")
    if request.if_none_match.contains_weak(etag):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Type"], response.headers["Content-Length"]
    return response
