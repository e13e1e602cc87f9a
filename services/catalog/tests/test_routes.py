import pytest

from catalog.tests.helpers import LAMP, PRODUCTS, put
from chassis.testing import as_operator, as_user, assert_problem, bad_bodies, bad_tokens
from chassis.testing_postgres import on_both_databases

PATH = f"{PRODUCTS}/LAMP"


def test_a_product_may_be_kept_for_a_while_and_asked_for_again_for_free(client):
    put(client, "LAMP")
    answer = client.get(PATH)
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    etag = answer.headers["ETag"]
    assert etag.startswith('"')  # a strong one
    again = client.get(PATH, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Cache-Control"] == "public, max-age=2"
    for stale in ('"other"', f'W/"other", {etag[:-2]}"'):
        assert client.get(PATH, headers={"If-None-Match": stale}).status_code == 200
    for good in (f'"other", {etag}', f"W/{etag}", "*"):
        assert client.get(PATH, headers={"If-None-Match": good}).status_code == 304


def test_how_long_an_answer_may_be_kept_is_a_setting(make_app):
    client = make_app(product_max_age_s=30).test_client()
    assert client.get(PRODUCTS).headers["Cache-Control"] == "public, max-age=30"


@pytest.mark.parametrize("path", [PRODUCTS, "/api/catalog/categories"])
def test_lists_have_an_etag_too_which_changes_with_what_is_in_them(client, path):
    put(client, "LAMP")
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    put(client, "OTHER")
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_an_etag_is_the_same_on_every_replica_and_another_after_a_change(client, make_app):
    created = put(client, "LAMP")
    etag = make_app().test_client().get(PATH).headers["ETag"]
    assert created.headers["ETag"] == etag
    assert created.headers["Content-Location"] == PATH
    replaced = put(client, "LAMP", description="another one")
    assert etag != replaced.headers["ETag"] == client.get(PATH).headers["ETag"]


def test_a_stale_if_match_is_refused_and_changes_nothing(client):
    stale = put(client, "LAMP").headers["ETag"]
    fresh = put(client, "LAMP", price_cents=1).headers["ETag"]
    assert_problem(put(client, "LAMP", {"If-Match": stale}, price_cents=2), 412)
    assert_problem(put(client, "LAMP", {"If-Match": f"W/{fresh}"}, price_cents=2), 412)
    assert client.get(PATH).json["price_cents"] == 1
    assert put(client, "LAMP", {"If-Match": f'"other", {fresh}'}, price_cents=2).status_code == 200
    assert put(client, "LAMP", {"If-Match": "*"}, price_cents=3).status_code == 200


@on_both_databases
def test_if_match_creates_nothing(client):
    for wanted in ("*", '"some"'):
        assert_problem(put(client, "NEW", {"If-Match": wanted}), 412)
    assert client.get(f"{PRODUCTS}/NEW").status_code == 404


def test_if_none_match_creates_and_never_replaces(client):
    assert put(client, "LAMP", {"If-None-Match": "*"}).status_code == 201
    assert_problem(put(client, "LAMP", {"If-None-Match": "*"}, price_cents=1), 412)


def test_reading_with_an_if_match_that_does_not_hold_is_refused(client):
    etag = put(client, "LAMP").headers["ETag"]
    assert client.get(PATH, headers={"If-Match": etag}).status_code == 200
    assert client.get(PATH, headers={"If-Match": "*"}).status_code == 200
    assert_problem(client.get(PATH, headers={"If-Match": '"other"'}), 412)


@on_both_databases
@pytest.mark.parametrize("sku", ["NONE", "lamp", "L%20P", "%00", "A" * 33, "%FF"])
def test_an_unknown_product_is_a_404(client, sku):
    assert_problem(client.get(f"{PRODUCTS}/{sku}"), 404)


@pytest.mark.parametrize("sku", ["lamp", "L%20P", "A" * 33])
def test_a_sku_that_can_be_none_is_refused_with_the_field(client, sku):
    assert assert_problem(put(client, sku), 422)["errors"][0]["field"] == "sku"


def test_description_and_currency_may_be_left_out(client):
    body = {"name": "Tea", "category": "Tea", "price_cents": 350}
    response = client.put(f"{PRODUCTS}/TEA", json=body, headers=as_operator())
    assert (response.status_code, response.json) == (201, {"sku": "TEA", "description": "", "currency": "EUR", **body})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "   "), ("name", "n" * 121), ("description", "d" * 2001), ("category", ""),
        ("category", "c" * 41), ("price_cents", 0), ("price_cents", 100_000_001), ("currency", "USD"),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_with_its_field(client, field, value):
    assert assert_problem(put(client, "LAMP", **{field: value}), 422)["errors"][0]["field"] == field


@pytest.mark.parametrize("body", bad_bodies(LAMP, optional=["description", "currency"]), ids=lambda body: body.name)
def test_a_bad_body_is_refused(client, body):
    response = client.put(PATH, data=body.raw, content_type=body.content_type, headers=as_operator())
    assert_problem(response, body.status)


@pytest.mark.parametrize("wrong", bad_tokens())
def test_a_bad_token_is_refused(client, wrong):
    assert_problem(client.put(PATH, json=LAMP, headers=bad_tokens()[wrong]), 401)


def test_only_an_operator_may_write(client):
    assert_problem(client.put(PATH, json=LAMP, headers=as_user()), 403)
    assert client.get(PATH).status_code == 404


@on_both_databases
@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=x", "limit=1.5", "cursor=x", "cursor=MTIz", "cursor=Ilx1MDAwMCI",
        "cursor=Ilx1ZDgwMCI", "q=%00", "q=" + "q" * 101, "category=%07", "sku=lower", "sku=GOOD&sku=b%20d",
        "sku=", "sku=%00", "&".join(["sku=A"] * 101),
    ],
)  # fmt: skip
def test_a_bad_query_is_refused_and_names_the_field(client, query):
    problem = assert_problem(client.get(f"{PRODUCTS}?{query}"), 422)
    if not query.startswith("cursor"):
        assert problem["errors"][0]["field"] == query.partition("=")[0]


def test_what_a_query_has_beyond_that_is_ignored(client):
    assert client.get(f"{PRODUCTS}?colour=red&limit=1").status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", PRODUCTS), ("DELETE", PATH), ("PATCH", PATH)])
def test_a_wrong_method_is_a_405(client, method, path):
    assert_problem(client.open(path, method=method, headers=as_operator()), 405)


def test_the_documentation_is_public_and_says_that_sku_is_repeatable(client):
    paths = client.get("/api/catalog/openapi.json").json["paths"]
    parameters = {each["name"]: each["schema"] for each in paths[PRODUCTS]["get"]["parameters"]}
    assert (parameters["sku"]["type"], parameters["sku"]["maxItems"]) == ("array", 100)
    assert {"200", "201", "412"} <= set(paths[f"{PRODUCTS}/{{sku}}"]["put"]["responses"])
