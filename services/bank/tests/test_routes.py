import threading

import pytest

from bank import routes
from bank.tests.helpers import DECLINED, LATE, behave, books, charge, charge_body, refund
from chassis.testing import assert_problem, bad_bodies
from chassis.testing_postgres import on_both_databases


@on_both_databases
def test_a_good_card_is_charged(client):
    response = charge(client)
    assert response.status_code == 201
    expected = {"key": "key-1", "state": "CAPTURED", "amount_cents": 1_500, "currency": "EUR", "reference": "order-1"}
    assert response.json == expected
    assert client.get("/charges/key-1").json.items() >= expected.items()


def test_a_bad_card_is_declined_and_stays_so_under_that_key(client):
    assert charge(client, card=DECLINED).json["state"] == "DECLINED"
    assert charge(client, card=DECLINED).json["state"] == "DECLINED"


@on_both_databases
def test_the_same_key_gives_the_same_answer_and_one_charge(client):
    first, second = charge(client), charge(client)
    assert (second.status_code, second.json) == (201, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(books(client)) == 1


def test_the_outcome_of_a_key_never_changes(client):
    charge(client)
    behave(client, decline_rate=1.0)
    assert charge(client).json["state"] == "CAPTURED"
    assert charge(client, key="key-2").json["state"] == "DECLINED"


@pytest.mark.parametrize(
    "change", [{"amount_cents": 1_501}, {"currency": "USD"}, {"reference": "order-2"}, {"card": DECLINED}]
)
def test_a_used_key_with_another_body_is_a_conflict(client, change):
    charge(client)
    assert_problem(charge(client, **change), 409)
    assert [item["amount_cents"] for item in books(client)] == [1_500]


@on_both_databases
def test_many_requests_at_once_with_one_key_are_one_charge(make_app):
    clients = [make_app().test_client() for _ in range(3) for _ in range(4)]
    start, answers = threading.Barrier(len(clients)), []

    def ask(client):
        start.wait()
        answers.append(charge(client))

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(answer.status_code, answer.json["state"]) for answer in answers] == [(201, "CAPTURED")] * len(clients)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(books(clients[0])) == 1


@on_both_databases
def test_a_charge_is_given_back_once(client):
    charge(client)
    first, second = refund(client), refund(client)
    assert (first.status_code, first.json["state"], first.json["key"]) == (201, "REFUNDED", "refund-1")
    assert (second.status_code, second.json) == (201, first.json)
    assert client.get("/charges/key-1").json["state"] == "REFUNDED"
    assert_problem(refund(client, key="refund-2"), 409)


def test_a_charge_that_was_given_back_is_not_made_again_by_a_late_repetition(client):
    answer = charge(client).json
    refund(client)
    assert charge(client).json == answer
    assert [item["state"] for item in books(client)] == ["REFUNDED"]


def test_what_was_never_taken_cannot_be_given_back(client):
    assert_problem(refund(client), 404)
    charge(client, card=DECLINED)
    assert_problem(refund(client), 409)


@on_both_databases
def test_a_refund_key_belongs_to_one_charge(client):
    charge(client)
    charge(client, key="key-2")
    refund(client)
    assert_problem(refund(client, charge_key="key-2"), 409)
    assert client.get("/charges/key-2").json["state"] == "CAPTURED"


@on_both_databases
def test_the_books_come_in_pages_and_hold_four_digits_of_the_card(client):
    for number in range(5):
        charge(client, key=f"key-{number}")
    refund(client, charge_key="key-1")
    page = client.get("/charges?limit=3").json
    rest = client.get(f"/charges?limit=3&cursor={page['next']}").json
    assert [item["key"] for item in page["items"] + rest["items"]] == [f"key-{number}" for number in range(5)]
    assert rest["next"] is None
    assert [item["state"] for item in page["items"]] == ["CAPTURED", "REFUNDED", "CAPTURED"]
    assert {item["card_last4"] for item in page["items"]} == {"4242"}
    assert "4242424242424242" not in client.get("/charges").text


def test_what_was_charged_survives_the_bank(make_app):
    first = make_app().test_client()
    charge(first)
    behave(first, latency_ms=1)
    second = make_app().test_client()
    assert [item["key"] for item in books(second)] == ["key-1"]
    assert second.get("/settings").json["latency_ms"] == 1


def test_a_bank_that_is_away_does_nothing_but_keeps_its_books_open(client):
    charge(client)
    behave(client, away=True)
    for response in (charge(client, key="key-2"), refund(client), client.get("/charges/key-1")):
        assert_problem(response, 503)
    assert [item["state"] for item in books(client)] == ["CAPTURED"]
    behave(client, away=False)
    assert charge(client, key="key-2").status_code == 201


def test_a_bank_that_fails_has_done_nothing(client):
    behave(client, failure_rate=1.0)
    assert_problem(charge(client), 500)
    assert books(client) == []


@pytest.fixture
def waits(client, monkeypatch):
    """What the bank waits for instead of waiting: (seconds, charges in the books at that moment)."""
    noted = []
    monkeypatch.setattr(routes.time, "sleep", lambda seconds: noted.append((seconds, len(books(client)))))
    return noted


def test_a_slow_bank_waits_before_it_charges(client, waits):
    behave(client, latency_ms=700)
    charge(client)
    assert waits == [(0.7, 0), (0, 1)]


def test_a_bank_that_answers_late_has_charged_already(client, waits):
    behave(client, answer_after_ms=900)
    charge(client)
    assert waits == [(0, 0), (0.9, 1)]


def test_the_late_card_is_charged_at_once_and_answered_when_its_caller_has_given_up(client, waits):
    charge(client, card=LATE, headers={"X-Request-Timeout-Ms": "1000"})
    assert waits == [(0, 0), (1.5, 1)]


def test_a_bank_full_of_slow_answers_can_still_be_told_to_be_fast(make_app):
    app = make_app(threads=6, spare_threads=4)
    client = app.test_client()
    for _ in range(2):
        assert app.extensions["bank.counters"].acquire(blocking=False)
    assert_problem(charge(client), 503)
    assert books(client) == []
    behave(client, latency_ms=0)
    app.extensions["bank.counters"].release()
    assert charge(client).status_code == 201


def test_a_place_is_free_again_after_every_kind_of_answer(make_app):
    client = make_app(threads=5, spare_threads=4).test_client()
    behave(client, failure_rate=1.0)
    assert charge(client).status_code == 500
    behave(client, failure_rate=0.0)
    assert charge(client).status_code == 201
    assert charge(client, amount_cents=1).status_code == 409
    assert client.get("/charges/nothing").status_code == 404
    assert refund(client).status_code == 201


@on_both_databases
def test_settings_change_only_what_is_named(client):
    initial = {"latency_ms": 0, "failure_rate": 0.0, "decline_rate": 0.0, "away": False, "answer_after_ms": 0}
    assert client.get("/settings").json == initial
    assert client.put("/settings", json={"failure_rate": 1}).json == initial | {"failure_rate": 1.0}
    assert client.put("/settings", json={"latency_ms": 5}).json == initial | {"failure_rate": 1.0, "latency_ms": 5}
    assert client.put("/settings", json={}).json == client.get("/settings").json


SETTINGS = {"latency_ms": 5, "failure_rate": 0.5, "decline_rate": 0.5, "away": True, "answer_after_ms": 5}
BAD = [
    *[("POST", "/charges", body) for body in bad_bodies(charge_body())],
    *[("POST", "/refunds", body) for body in bad_bodies({"charge_key": "key-1"})],
    *[("PUT", "/settings", body) for body in bad_bodies(SETTINGS, optional=SETTINGS)],
]


@pytest.mark.parametrize(("method", "path", "body"), BAD, ids=lambda value: getattr(value, "name", value))
def test_a_bad_body_is_refused(client, method, path, body):
    headers = {"Idempotency-Key": "key-1"}
    response = client.open(path, method=method, data=body.raw, content_type=body.content_type, headers=headers)
    assert_problem(response, body.status)


@pytest.mark.parametrize("path", ["/charges", "/refunds"])
def test_nothing_happens_without_a_key(client, path):
    body = charge_body() if path == "/charges" else {"charge_key": "key-1"}
    assert_problem(client.post(path, json=body), 428)
    for key in ("k" * 129, "schl\u00fcssel"):
        assert_problem(client.post(path, json=body, headers={"Idempotency-Key": key}), 422)


def test_other_bad_requests_are_problems_too(client):
    assert_problem(client.get("/charges/nothing"), 404)
    assert_problem(client.get("/charges?cursor=nonsense"), 422)
    assert_problem(client.get("/charges?limit=0"), 422)
    assert_problem(client.delete("/charges"), 405)


def test_the_description_names_every_route(client):
    assert set(client.get("/openapi.json").json["paths"]) == {"/charges", "/charges/{key}", "/refunds", "/settings"}
