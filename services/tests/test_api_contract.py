"""The public API as docs/contract.md lists it, call by call, and what all answers of all services have in common."""

import re
import uuid

import pytest

from chassis.testing import as_operator, as_service, as_user, assert_problem
from services.tests.contract import calls
from services.tests.postman import Postman
from services.tests.shop import APPS, FLEET, GOOD

CALLS = {str(call): call for call in calls()}
LISTS = [call for call in CALLS.values() if call.is_list]
PUBLIC = [name for name in FLEET if FLEET[name].get("prefix", "").startswith("/api/")]
USER = {"email": "ada@souk.example", "password": "open sesame 1", "name": "Ada"}
PRODUCT = {"name": "A brass lamp", "category": "Lamps", "price_cents": 4_500}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def order(shop):
    """Ada's confirmed order, with something in every service."""
    shop.offer("LAMP")
    postman = Postman(shop)
    assert shop.call("POST", "/api/accounts/users", USER).status_code == 201
    order_id = shop.order(("LAMP", 2))
    postman.finish()
    assert shop.order_seen(order_id)["state"] == "CONFIRMED"
    return order_id


@pytest.fixture(scope="module")
def signed_in(shop, order):
    """Headers with a token that accounts has made, which only accounts knows the key of here."""
    tokens = shop.call("POST", "/api/accounts/tokens", {k: USER[k] for k in ("email", "password")}).json
    return {"Authorization": f"Bearer {tokens['access_token']}"}


BODIES = {
    "POST /api/accounts/users": lambda: USER | {"email": f"{uuid.uuid4()}@souk.example"},
    "POST /api/accounts/tokens": lambda: {key: USER[key] for key in ("email", "password")},
    "PUT /api/catalog/products/{sku}": lambda: PRODUCT,
    "PUT /api/inventory/stock/{sku}": lambda: {"on_hand": 1_000},
    "PUT /api/carts/mine/items/{sku}": lambda: {"quantity": 2},
    "POST /api/orders": lambda: {"lines": [{"sku": "LAMP", "quantity": 1}], "payment": {"card": GOOD}},
}


def make(shop, call, order, headers, path=None):
    """A valid call of this row of the table."""
    path = (path or call.path).replace("{sku}", "LAMP").replace("{order_id}", order).replace("{id}", order)
    body = BODIES.get(str(call), lambda: None)()
    return shop.call(call.method, path, body, headers | {"Idempotency-Key": str(uuid.uuid4())})


def headers_for(call, signed_in):
    if call.service == "accounts":
        return signed_in if call.who != "anyone" else {}
    return {"anyone": {}, "customer": as_user("ada"), "operator": as_operator()}[call.who]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_answers_with_the_members_of_the_contract(shop, order, signed_in, name):
    call = CALLS[name]
    if name.endswith("/cancellation"):
        order = shop.order(("LAMP", 1))
    answer = make(shop, call, order, headers_for(call, signed_in))
    assert answer.status_code in call.statuses, answer.json
    if call.is_list:
        assert set(answer.json) == {"items", "next"}
        assert all(call.members <= set(item) for item in answer.json["items"])
        assert answer.json["items"]
    elif call.members:
        assert call.members <= set(answer.json)
    if name == "POST /api/orders":
        assert answer.headers["Location"] == f"/api/orders/{answer.json['id']}"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_in_the_openapi_page_of_its_service(shop, name):
    call = CALLS[name]
    described = {
        (method.upper(), re.sub(r"{[^}]*}", "{}", path))
        for path, methods in shop.call("GET", f"/api/{call.service}/openapi.json").json["paths"].items()
        for method in methods
    }
    assert (call.method, re.sub(r"{[^}]*}", "{}", call.path.partition("?")[0])) in described


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.who != "anyone"])
def test_a_call_that_is_not_for_everybody_wants_a_token(shop, order, name):
    assert_problem(make(shop, CALLS[name], order, {}), 401)


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.who == "operator"])
def test_what_operators_do_is_not_for_customers(shop, order, name):
    assert_problem(make(shop, CALLS[name], order, as_user("ada")), 403)


@pytest.mark.parametrize(
    "name", ["GET /api/orders/{id}", "POST /api/orders/{id}/cancellation", "GET /api/payments/{order_id}"]
)
def test_what_belongs_to_another_customer_is_forbidden(shop, order, name):
    assert_problem(make(shop, CALLS[name], order, as_user("bob")), 403)
    assert_problem(make(shop, CALLS[name], str(uuid.uuid4()), as_user("bob")), 404)


@pytest.mark.parametrize("call", LISTS, ids=str)
def test_a_list_has_20_items_a_page_and_100_at_most_or_1000_for_operators(shop, order, call):
    page = shop.call("GET", f"/api/{call.service}/openapi.json").json
    described = page["paths"][call.path.partition("?")[0]]["get"]["parameters"]
    (limit,) = [parameter["schema"] for parameter in described if parameter["name"] == "limit"]
    most = 1000 if call.who == "operator" else 100
    assert limit["default"] == 20

    headers, glue = headers_for(call, {}), "&" if "?" in call.path else "?"
    assert make(shop, call, order, headers, f"{call.path}{glue}limit={most}").status_code == 200
    for wrong in (most + 1, 0, -1, "many"):
        assert_problem(make(shop, call, order, headers, f"{call.path}{glue}limit={wrong}"), 422)
    assert_problem(make(shop, call, order, headers, f"{call.path}{glue}cursor=nonsense"), 422)
    assert make(shop, call, order, headers, f"{call.path}{glue}colour=red").status_code == 200


@pytest.mark.parametrize("name", APPS)
def test_every_service_tells_how_it_is_and_what_it_can_do(shop, name):
    client = shop.clients[name]
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json == {"status": "ready"}
    assert b"souk_" in client.get("/metrics").data
    page = client.get("/openapi.json").json
    assert page["openapi"].startswith("3.")
    assert page["paths"] or name == "storefront"  # its pages are for people


@pytest.mark.parametrize("name", PUBLIC)
def test_the_openapi_page_is_public_below_the_services_prefix(shop, name):
    client = shop.clients[name]
    assert client.get(f"{FLEET[name]['prefix']}/openapi.json").json == client.get("/openapi.json").json


@pytest.mark.parametrize("name", APPS)
def test_the_openapi_page_describes_every_error_as_problem_details(shop, name):
    page = shop.clients[name].get("/openapi.json").json
    for operation in (operation for path in page["paths"].values() for operation in path.values()):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"503", "504"} <= set(errors)
        assert ("security" in operation) <= ("401" in errors)
        assert ("requestBody" in operation) <= ({"400", "413", "415", "422"} <= set(errors))
        for answer in errors.values():
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
            assert {"X-Trace-Id", "X-Served-By"} <= set(answer["headers"])
    assert "ValidationError" not in page["components"]["schemas"]


@pytest.mark.parametrize("name", APPS)
def test_every_answer_names_its_instance_and_its_trace(shop, name):
    client = shop.clients[name]
    for path in ("/healthz", "/nowhere", "/openapi.json"):
        answer = client.get(path)
        assert answer.headers["X-Served-By"].startswith(name)
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Trace-Id"])
        handed_on = client.get(path, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        assert handed_on.headers["X-Trace-Id"] == TRACE


@pytest.mark.parametrize("name", APPS)
def test_an_unknown_path_and_a_wrong_method_are_problems(shop, name):
    client = shop.clients[name]
    assert_problem(client.get(f"/api/{name}/no/such/thing"), 404)
    refused = client.patch("/healthz")
    assert_problem(refused, 405)
    assert "GET" in refused.headers["Allow"]


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_an_events_number_of_more_than_64_bits_is_not_found(shop, number):
    for name in shop.emitters():
        assert_problem(shop.clients[name].post(f"/internal/events/{number}/retry", headers=as_service(name)), 404)
