"""The life of an order: every answer in every order, twice, late, and by several replicas at once."""

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from chassis.database import utc_now
from chassis.testing import as_service, as_user, event, published
from chassis.testing_postgres import on_both_databases
from orders.models import Order
from orders.saga import cancel_overdue
from orders.tests.helpers import place

pytestmark = on_both_databases
SERVICE = as_service("orders", caller="inventory")


def send(client, type_, order_id, source, **more):
    response = client.post("/events", json=event(type_, order_id, source, order_id=order_id, **more), headers=SERVICE)
    assert response.status_code == 204, response.json
    return response


def state(client, order_id):
    return client.get(f"/api/orders/{order_id}", headers=as_user("ada")).json


def types(app, subject):
    return [e["type"] for e in published(app) if e["subject"] == subject]


def test_an_order_that_is_reserved_and_paid_is_confirmed(app, client):
    order_id = place(client).json["id"]
    send(client, "stock.reserved", order_id, "/inventory")
    assert state(client, order_id)["state"] == "RESERVED"
    send(client, "payment.captured", order_id, "/payments", amount_cents=9_000, currency="EUR")
    order = state(client, order_id)
    assert order["state"] == "CONFIRMED"
    assert [step["state"] for step in order["history"]] == ["PENDING", "RESERVED", "CONFIRMED"]
    assert types(app, order_id) == ["order.placed", "order.placed", "order.confirmed"]


def test_the_payment_is_requested_once_there_is_stock(app, client):
    order_id = place(client).json["id"]
    send(client, "stock.reserved", order_id, "/inventory")
    request = next(e for e in published(app) if e["type"] == "payment.requested")
    assert request["data"] == {
        "order_id": order_id, "customer_id": "ada", "amount_cents": 9_000, "currency": "EUR",
        "card": "4242424242424242",
    }  # fmt: skip


def test_the_card_is_forgotten_when_the_order_has_ended(app, client):
    order_id = place(client).json["id"]
    send(client, "stock.reserved", order_id, "/inventory")
    send(client, "payment.captured", order_id, "/payments")
    with app.extensions["souk.database"].reading() as session:
        for table in ("orders", "outbox", "idempotency_keys", "inbox"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert "4242424242424242" not in str(rows), table


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (["stock.rejected"], "out_of_stock"),
        (["stock.reserved", "payment.declined"], "payment_declined"),
    ],
)
def test_a_refusal_cancels_the_order_and_tells_everybody(app, client, messages, reason):
    order_id = place(client).json["id"]
    for message in messages:
        send(client, message, order_id, "/somebody")
    assert (state(client, order_id)["state"], state(client, order_id)["reason"]) == ("CANCELLED", reason)
    cancelled = [e for e in published(app) if e["type"] == "order.cancelled"]
    assert {e["subscriber"] for e in cancelled} == {"inventory", "payments"}
    assert cancelled[0]["data"]["reason"] == reason


def test_the_same_event_twice_has_effect_once(app, client):
    order_id = place(client).json["id"]
    twice = event("stock.reserved", order_id, "/inventory", order_id=order_id)
    for _ in range(2):
        assert client.post("/events", json=twice, headers=SERVICE).status_code == 204
    assert types(app, order_id).count("payment.requested") == 1


def test_an_answer_for_an_unknown_order_changes_nothing(app, client):
    send(client, "payment.captured", "00000000-0000-0000-0000-000000000000", "/payments")
    assert published(app) == []


def test_an_event_without_its_order_is_refused_with_the_field(client):
    response = client.post("/events", json=event("stock.reserved", "x", "/inventory"), headers=SERVICE)
    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "order_id"


def test_an_order_that_nobody_answers_is_cancelled_at_its_deadline(app, client):
    order_id, young = place(client).json["id"], place(client, key="key-2").json["id"]
    database = app.extensions["souk.database"]
    with database.transaction() as session:
        late = utc_now() - timedelta(seconds=1)
        session.execute(update(Order).where(Order.id == order_id).values(deadline=late))
    cancel_overdue(database)
    assert state(client, order_id)["reason"] == "deadline"
    assert state(client, young)["state"] == "PENDING"


def test_more_overdue_orders_than_a_batch_are_all_cancelled(app, client, monkeypatch):
    monkeypatch.setattr("orders.saga.BATCH", 2)
    order_ids = [place(client, key=f"key-{n}").json["id"] for n in range(5)]
    database = app.extensions["souk.database"]
    with database.transaction() as session:
        session.execute(update(Order).values(deadline=utc_now() - timedelta(seconds=1)))
    while cancel_overdue(database):
        pass
    assert {state(client, order_id)["state"] for order_id in order_ids} == {"CANCELLED"}


MESSAGES = ("stock.reserved", "stock.rejected", "payment.captured", "payment.declined", "cancel")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(st.sampled_from(MESSAGES), max_size=7), number=st.uuids())
def test_whatever_comes_in_whatever_order_the_history_is_lawful(app, client, messages, number):
    order_id = place(client, key=str(number)).json["id"]
    for message in messages:
        if message == "cancel":
            client.post(f"/api/orders/{order_id}/cancellation", headers=as_user("ada"))
        else:
            send(client, message, order_id, "/somebody")
    order = state(client, order_id)
    steps = [step["state"] for step in order["history"]]
    lawful = (["PENDING"], ["PENDING", "RESERVED"], ["PENDING", "CANCELLED"])
    lawful += (["PENDING", "RESERVED", "CONFIRMED"], ["PENDING", "RESERVED", "CANCELLED"])
    assert steps in lawful
    told = [t for t in types(app, order_id) if t in ("order.confirmed", "order.cancelled")]
    ends = {"CONFIRMED": ["order.confirmed"], "CANCELLED": ["order.cancelled"] * 2}
    assert told == ends.get(steps[-1], [])


def test_confirming_and_cancelling_at_once_by_three_replicas_ends_in_exactly_one(make_app, client, app):
    replicas = [make_app().test_client() for _ in range(3)]
    for round_ in range(8):
        order_id = place(client, key=f"key-{round_}").json["id"]
        send(client, "stock.reserved", order_id, "/inventory")
        barrier = threading.Barrier(3)

        def race(replica, type_, order_id=order_id, barrier=barrier):
            barrier.wait()
            if type_ == "cancel":
                replica.post(f"/api/orders/{order_id}/cancellation", headers=as_user("ada"))
            else:
                send(replica, type_, order_id, "/payments")

        kinds = ("payment.captured", "payment.declined", "cancel")
        threads = [threading.Thread(target=race, args=pair) for pair in zip(replicas, kinds, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = {t for t in types(app, order_id) if t in ("order.confirmed", "order.cancelled")}
        assert len(told) == 1
        assert len(state(client, order_id)["history"]) == 3
