import pytest

from chassis.testing import (
    as_operator,
    as_service,
    as_user,
    assert_problem,
    bad_bodies,
    bad_service_tokens,
    bad_tokens,
    event,
)
from chassis.testing_postgres import on_both_databases
from payments.tests.helpers import GOOD, LossyBank, MemoryBank, cancelled, request_data, requested, take, turn

ADA, BOB = as_user("ada"), as_user("bob")
CHARGE = {"reference": "lab-1", "amount_cents": 250, "currency": "EUR", "card": GOOD}


def charge(client, **changes):
    return client.post("/internal/charges", json=CHARGE | changes, headers=as_service("payments", "loadtests"))


def test_a_customer_sees_the_payment_of_an_order(app, client):
    take(app, requested())
    response = client.get("/api/payments/order-1", headers=ADA)
    assert response.status_code == 200
    expected = {"order_id": "order-1", "state": "PENDING", "amount_cents": 1_500, "currency": "EUR"}
    assert response.json.items() >= expected.items()


def test_the_payment_of_another_customer_is_forbidden(app, client):
    take(app, requested())
    assert_problem(client.get("/api/payments/order-1", headers=BOB), 403)
    assert_problem(client.get("/api/payments/order-2", headers=BOB), 404)
    assert client.get("/api/payments/order-1", headers=as_operator()).status_code == 200


@on_both_databases
def test_a_payment_that_was_never_asked_for_does_not_exist(app, client):
    take(app, cancelled())
    assert_problem(client.get("/api/payments/order-1", headers=as_operator()), 404)
    assert client.get("/api/payments", headers=as_operator()).json == {"items": [], "next": None}
    take(app, requested())
    assert client.get("/api/payments/order-1", headers=ADA).json["state"] == "VOIDED"


@on_both_databases
def test_an_operator_sees_all_payments_in_pages(app, client):
    for number in range(5):
        take(app, requested(f"order-{number}"))
    page = client.get("/api/payments?limit=3", headers=as_operator()).json
    rest = client.get(f"/api/payments?limit=3&cursor={page['next']}", headers=as_operator()).json
    assert [item["order_id"] for item in page["items"] + rest["items"]] == [f"order-{number}" for number in range(5)]
    assert rest["next"] is None
    assert_problem(client.get("/api/payments", headers=ADA), 403)


def test_a_card_is_never_shown(app, client):
    take(app, requested())
    for path in ("/api/payments/order-1", "/api/payments"):
        assert "4242" not in client.get(path, headers=as_operator()).text


def test_the_card_of_an_event_that_cannot_be_read_is_not_repeated(client):
    message = event("payment.requested", "order-1", **request_data(card="4242424242424242x", amount_cents=-1))
    problem = assert_problem(client.post("/events", json=message, headers=as_service("payments")), 422)
    assert {error["field"] for error in problem["errors"]} == {"card", "amount_cents"}
    assert "4242" not in str(problem)


@pytest.mark.parametrize("type_", ["payment.requested", "order.cancelled"])
@pytest.mark.parametrize("order_id", [None, 17, "", "x" * 65, "a\x00"])
def test_an_event_without_what_is_needed_is_refused(client, type_, order_id):
    message = event(type_, "order-1", **request_data() | {"order_id": order_id})
    assert_problem(client.post("/events", json=message, headers=as_service("payments")), 422)


def test_an_event_may_say_more_than_we_need(client):
    message = event("payment.requested", "order-1", **request_data(), voucher="summer")
    assert client.post("/events", json=message, headers=as_service("payments")).status_code == 204


# --- charging at once


@pytest.fixture
def bank(app):
    app.extensions["payments.bank"] = memory = MemoryBank()
    return memory


def test_a_charge_by_name_answers_with_its_outcome(client, bank):
    response = charge(client)
    assert (response.status_code, response.json["state"], response.json["reference"]) == (201, "CAPTURED", "lab-1")
    assert "card" not in response.json
    assert charge(client).json == response.json
    assert bank.references == ["lab-1"]


def test_a_charge_by_name_never_meets_the_charge_of_an_order(app, client, bank):
    take(app, requested("lab-1"))
    turn(app, bank)
    assert charge(client).status_code == 201
    assert len(bank.charges) == 2


@pytest.mark.parametrize("reference", ["caf\u00e9", "\U0001f336", "a/b", "a b", "x" * 65, ""])
def test_a_reference_that_is_no_key_for_the_bank_is_refused(client, reference):
    assert_problem(charge(client, reference=reference), 422)


def test_a_declined_charge_is_a_402(client, bank):
    assert_problem(charge(client, card="4000000000000002"), 402)


def test_a_charge_without_a_bank_is_a_503_and_one_without_an_answer_a_504(app, client, bank):
    app.extensions["payments.bank"] = LossyBank(bank, "refused")
    assert_problem(charge(client), 503)
    app.extensions["payments.bank"] = LossyBank(bank, "answer_lost")
    assert_problem(charge(client), 504)
    app.extensions["payments.bank"] = bank
    assert charge(client).json["state"] == "CAPTURED"
    assert bank.references == ["lab-1"]


def test_a_used_reference_with_another_amount_is_a_conflict(client, bank_server):
    bank_server.answers["POST", "/charges"] = (409, {})
    assert_problem(charge(client), 409)


def test_a_charge_ends_with_the_time_of_its_caller(client, bank_server):
    bank_server.answers["POST", "/charges"] = (201, {"state": "CAPTURED"})
    headers = as_service("payments") | {"X-Request-Timeout-Ms": "200"}
    assert client.post("/internal/charges", json=CHARGE, headers=headers).status_code in (201, 504)
    assert all(int(asked[2]["X-Request-Timeout-Ms"]) <= 200 for asked in bank_server.requests)


# --- bad input


@pytest.mark.parametrize("body", bad_bodies(CHARGE), ids=lambda body: body.name)
def test_a_bad_body_is_refused(client, body):
    headers = as_service("payments")
    response = client.post("/internal/charges", data=body.raw, content_type=body.content_type, headers=headers)
    assert_problem(response, body.status)


@pytest.mark.parametrize("path", ["/api/payments", "/api/payments/order-1"])
@pytest.mark.parametrize("wrong", bad_tokens().items(), ids=lambda wrong: wrong[0])
def test_a_bad_token_is_refused(client, path, wrong):
    assert_problem(client.get(path, headers=wrong[1]), 401)


@pytest.mark.parametrize("path", ["/internal/charges", "/events"])
@pytest.mark.parametrize("wrong", bad_service_tokens("payments").items(), ids=lambda wrong: wrong[0])
def test_internal_routes_are_for_services(client, path, wrong):
    assert_problem(client.post(path, json=CHARGE, headers=wrong[1]), 401)


def test_other_bad_requests_are_problems_too(client):
    operator = as_operator()
    assert_problem(client.get("/api/payments?limit=0", headers=operator), 422)
    assert_problem(client.get("/api/payments?limit=1001", headers=operator), 422)
    assert_problem(client.get("/api/payments?cursor=nonsense", headers=operator), 422)
    assert_problem(client.delete("/api/payments/order-1", headers=operator), 405)
    assert_problem(client.get("/internal/charges", headers=as_service("payments")), 405)


def test_the_description_names_every_public_route(client):
    paths = client.get("/api/payments/openapi.json").json["paths"]
    assert {"/api/payments", "/api/payments/{order_id}", "/internal/charges"} <= set(paths)
