import pytest

from carts.tests.helpers import ADA, MINE, cart, deliver, placed, put
from chassis.testing import (
    as_service,
    as_user,
    assert_problem,
    bad_bodies,
    bad_service_tokens,
    bad_tokens,
)
from chassis.testing_postgres import on_both_databases

TEA = f"{MINE}/items/TEA"


@pytest.mark.parametrize("quantity", [0, -1, 1001, "1", 1.5, True, None])
def test_a_quantity_is_a_whole_number_from_1_to_1000(client, quantity):
    response = client.put(TEA, json={"quantity": quantity}, headers=ADA)
    assert assert_problem(response, 422)["errors"][0]["field"] == "quantity"
    assert cart(client) == {}


@pytest.mark.parametrize("quantity", [1, 1000])
def test_the_bounds_belong_to_it(client, quantity):
    assert put(client, "TEA", quantity).json["items"][0]["quantity"] == quantity


@pytest.mark.parametrize("body", bad_bodies({"quantity": 2}), ids=lambda body: body.name)
def test_a_bad_body_is_refused(client, body):
    response = client.put(TEA, data=body.raw, content_type=body.content_type, headers=ADA)
    assert_problem(response, body.status)


@on_both_databases
@pytest.mark.parametrize("sku", ["tea", "T%20A", "%00", "A" * 33, "%FF"])
def test_a_sku_that_can_be_none_is_a_404(client, catalog, sku):
    assert_problem(put(client, sku), 404)
    assert_problem(client.delete(f"{MINE}/items/{sku}", headers=ADA), 404)
    assert catalog.requests == []


@pytest.mark.parametrize("wrong", bad_tokens())
def test_a_bad_token_is_refused(client, wrong):
    assert_problem(client.get(MINE, headers=bad_tokens()[wrong]), 401)


@pytest.mark.parametrize(("method", "path"), [("GET", MINE), ("PUT", TEA), ("DELETE", TEA)])
def test_carts_are_for_signed_in_customers(client, method, path):
    assert_problem(client.open(path, method=method), 401)
    assert_problem(client.open(path, method=method, headers=as_user("eve", "operator")), 403)


@pytest.mark.parametrize(("method", "path"), [("POST", MINE), ("GET", TEA), ("PATCH", TEA), ("DELETE", MINE)])
def test_a_wrong_method_is_a_405(client, method, path):
    assert_problem(client.open(path, method=method, headers=ADA), 405)


@pytest.mark.parametrize("wrong", bad_service_tokens("carts"))
def test_events_are_taken_from_our_own_services_only(client, wrong):
    headers = bad_service_tokens("carts")[wrong]
    assert_problem(client.post("/events", json=placed(("TEA", 1)), headers=headers), 401)


@on_both_databases
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"customer_id": "ada"},
        {"customer_id": "ada", "lines": [{"sku": "TEA"}]},
        {"customer_id": "ada", "lines": [{"sku": "TEA", "quantity": 0}]},
        {"customer_id": "ada", "lines": [{"sku": "no sku", "quantity": 1}]},
        {"customer_id": "\x00", "lines": []},
        {"customer_id": "a" * 65, "lines": []},
    ],
)
def test_an_order_that_is_not_as_agreed_is_refused_and_changes_nothing(client, data):
    put(client, "TEA", 5)
    assert_problem(client.post("/events", json={**placed(), "data": data}, headers=as_service("carts")), 422)
    assert cart(client) == {"TEA": 5}


def test_members_of_an_event_that_we_do_not_know_are_ignored(client):
    put(client, "TEA", 5)
    deliver(client, {**placed(("TEA", 1), gift=True), "dataschema": "v9"})
    assert cart(client) == {"TEA": 4}


def test_the_documentation_is_public_and_complete(client):
    paths = client.get("/api/carts/openapi.json").json["paths"]
    assert {MINE, f"{MINE}/items/{{sku}}"} <= set(paths)
    assert {"200", "404", "409"} <= set(paths[f"{MINE}/items/{{sku}}"]["put"]["responses"])
