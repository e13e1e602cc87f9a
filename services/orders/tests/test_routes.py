import threading
import time

import pytest

from chassis.testing import as_operator, as_service, as_user, event, published
from chassis.testing_postgres import on_both_databases
from orders.admission import LOOK_EVERY_S
from orders.tests.helpers import order_body, place

ADA = as_user("ada")


def test_placing_an_order_answers_202_with_the_order_and_its_location(client):
    response = place(client, lines=[{"sku": "TEA", "quantity": 1}, {"sku": "LAMP", "quantity": 2}])
    assert response.status_code == 202
    order = response.json
    assert response.headers["Location"] == f"/api/orders/{order['id']}"
    assert (order["state"], order["total_cents"], order["currency"]) == ("PENDING", 9_350, "EUR")
    assert [line["sku"] for line in order["lines"]] == ["LAMP", "TEA"]
    assert client.get(response.headers["Location"], headers=ADA).json == order


def test_placing_an_order_tells_who_needs_to_know(app, client):
    order = place(client).json
    told = published(app)
    assert {(e["type"], e["subscriber"]) for e in told} == {
        ("order.placed", "inventory"),
        ("order.placed", "carts"),
    }
    assert told[0]["data"] == {
        "order_id": order["id"], "customer_id": "ada", "total_cents": 9_000, "currency": "EUR",
        "lines": [{"sku": "LAMP", "quantity": 2, "price_cents": 4_500}],
    }  # fmt: skip


def test_the_prices_of_all_lines_are_asked_for_in_one_call(client, catalog):
    place(client, lines=[{"sku": "TEA", "quantity": 1}, {"sku": "LAMP", "quantity": 2}])
    assert len(catalog.requests) == 1


@on_both_databases
def test_the_same_key_gives_the_same_answer_and_one_order(app, client):
    first, second = place(client), place(client)
    assert (second.status_code, second.json) == (202, first.json)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(client.get("/api/orders", headers=ADA).json["items"]) == 1


def test_the_same_key_of_another_customer_is_another_order(client):
    assert place(client).json["id"] != place(client, customer="bob").json["id"]


@on_both_databases
def test_a_used_key_with_another_body_is_a_conflict(client):
    place(client)
    response = place(client, lines=[{"sku": "TEA", "quantity": 1}])
    assert (response.status_code, response.mimetype) == (409, "application/problem+json")


@on_both_databases
def test_too_many_orders_under_way_are_a_503_until_one_has_ended(make_app):
    client = make_app(most_open_orders=2).test_client()
    first, second = (place(client, key=key) for key in ("one", "two"))
    time.sleep(LOOK_EVERY_S)
    refused = place(client, key="three")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert place(client, key="two").json == second.json, "the answer to a repetition is there already"
    client.post(f"{first.headers['Location']}/cancellation", headers=ADA)
    time.sleep(LOOK_EVERY_S)
    assert place(client, key="three").status_code == 202


def test_without_a_key_there_is_no_order(app, client):
    response = client.post("/api/orders", json=order_body(), headers=ADA)
    assert response.status_code == 428
    assert published(app) == []


@on_both_databases
def test_a_refused_order_may_be_repeated_under_its_key(client, catalog):
    catalog.products.clear()
    assert place(client).status_code == 422
    catalog.products["LAMP"] = {"sku": "LAMP", "name": "Lamp", "price_cents": 1, "currency": "EUR"}
    assert place(client).status_code == 202


@on_both_databases
def test_twenty_requests_at_once_under_one_key_over_three_replicas_are_one_order(app, make_app):
    replicas = [make_app().test_client() for _ in range(3)]
    answers, barrier = [], threading.Barrier(20)

    def ask(number):
        barrier.wait()
        answers.append(place(replicas[number % 3]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len([e for e in published(app) if e["subscriber"] == "inventory"]) == 1


def test_an_unknown_product_is_named(client):
    response = place(client, lines=[{"sku": "LAMP", "quantity": 1}, {"sku": "NONE", "quantity": 1}])
    assert response.status_code == 422
    assert response.json["errors"] == [{"field": "lines", "message": "there is no product NONE"}]


@pytest.mark.parametrize("answer", [(503, {}), (500, {}), (200, {"items": "nonsense"})])
def test_without_a_catalog_there_is_no_order(app, client, catalog, answer):
    catalog.answers["GET", "/api/catalog/products"] = answer
    response = place(client)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert published(app) == []


def test_a_card_that_is_no_test_card_is_refused(client):
    response = place(client, payment={"card": "5555555555554444"})
    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "payment.card"
    assert "5555555555554444" not in response.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "TEA", "quantity": 1}] * 51}, "lines"),
        ({"lines": [{"sku": "TEA", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "TEA", "quantity": -1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "TEA", "quantity": 1001}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "TEA", "quantity": "1"}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "TEA", "quantity": 1.5}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "TEA", "quantity": True}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "te a", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "TEA\n", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "TEA"}]}, "lines.0.quantity"),
        ({"payment": {}}, "payment.card"),
        ({"payment": {"card": 4242424242424242}}, "payment.card"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_names_the_field(client, changes, field):
    response = place(client, **changes)
    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    assert field in [error["field"] for error in response.json["errors"]]
    assert response.json["trace_id"] == response.headers["X-Trace-Id"]


def test_another_customers_order_is_forbidden_but_an_operator_may_look(client):
    url = place(client).headers["Location"]
    assert client.get(url, headers=as_user("bob")).status_code == 403
    assert client.post(f"{url}/cancellation", headers=as_user("bob")).status_code == 403
    assert client.get(url, headers=as_operator()).status_code == 200


def test_an_unknown_order_is_404(client):
    for url in ("/api/orders/nothing", "/api/orders/%00", "/api/orders/'%20OR%201=1"):
        assert client.get(url, headers=ADA).status_code == 404


def test_who_is_not_signed_in_sees_and_places_nothing(client):
    place(client)
    assert client.get("/api/orders").status_code == 401
    response = client.post("/api/orders", json=order_body(), headers={"Idempotency-Key": "k"})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_customer_cancels_twice_and_both_are_fine(client):
    url = place(client).headers["Location"]
    for _ in range(2):
        response = client.post(f"{url}/cancellation", headers=ADA)
        assert (response.status_code, response.json["state"], response.json["reason"]) == (
            202,
            "CANCELLED",
            "customer",
        )


def test_a_confirmed_order_cannot_be_cancelled(client):
    order_id = place(client).json["id"]
    for type_ in ("stock.reserved", "payment.captured"):
        body = event(type_, order_id, "/x", order_id=order_id)
        assert client.post("/events", json=body, headers=as_service("orders")).status_code == 204
    assert client.post(f"/api/orders/{order_id}/cancellation", headers=ADA).status_code == 409


@on_both_databases
def test_the_list_pages_through_ones_own_orders_newest_first(client):
    ids = [place(client, key=f"key-{n}").json["id"] for n in range(5)]
    place(client, key="other", customer="bob")
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/orders", query_string=query, headers=ADA).json
        seen += [order["id"] for order in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_everybodys_orders_are_for_operators(client):
    place(client)
    place(client, customer="bob")
    assert client.get("/api/orders?scope=all", headers=ADA).status_code == 403
    page = client.get("/api/orders?scope=all&limit=1000", headers=as_operator()).json
    assert {order["customer_id"] for order in page["items"]} == {"ada", "bob"}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "cursor=%21", "cursor=WzFd", "cursor=e30", "cursor=WyIyMDMwLTAxLTAxIiwieCJd"],
)
def test_a_bad_page_is_refused(client, query):
    assert client.get(f"/api/orders?{query}", headers=ADA).status_code == 422


def test_events_are_for_services_only(client):
    body = event("stock.reserved", "x", "/inventory", order_id="x")
    for headers in ({}, ADA, as_service("payments")):
        assert client.post("/events", json=body, headers=headers).status_code == 401


def test_the_api_describes_itself(client):
    public, internal = client.get("/api/orders/openapi.json"), client.get("/openapi.json")
    assert public.json == internal.json
    assert set(public.json["paths"]["/api/orders"]) == {"get", "post"}
    schema = public.json["paths"]["/api/orders"]["post"]["responses"]["202"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/OrderAnswer"}
