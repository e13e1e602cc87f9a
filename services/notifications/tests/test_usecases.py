from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.testing import as_service, assert_problem
from chassis.testing_postgres import on_both_databases
from notifications.tests.helpers import messages, order_event, registered, send


def test_each_event_becomes_a_message_to_whom_it_concerns(client):
    assert send(client, registered("ada"), sender="accounts") == 204
    assert send(client, order_event("order.confirmed", "order-1", "ada")) == 204
    assert send(client, order_event("order.cancelled", "order-2", "bob", reason="out_of_stock")) == 204
    assert {message["subject"] for message in messages(client, "ada")} == {
        "Welcome to Souk", "Your order order-1 is confirmed",
    }  # fmt: skip
    [message] = messages(client, "bob")
    assert "sold out" in message["body"] and "1,234.50 EUR" in message["body"]


def test_an_event_that_comes_again_writes_nothing_new(client):
    event = order_event("order.confirmed")
    assert [send(client, event) for _ in range(3)] == [204] * 3
    assert len(messages(client)) == 1


@on_both_databases
def test_an_event_that_comes_to_many_replicas_at_once_writes_one_message(make_app):
    replicas = [make_app() for _ in range(3)]
    events = [order_event("order.confirmed", f"order-{i}") for i in range(8)]
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda i: send(replicas[i % 3].test_client(), events[i % 8]), range(48)))
    assert set(statuses) == {204}
    counts = Counter(message["subject"] for message in messages(replicas[0].test_client(), query="?limit=100"))
    assert counts == {f"Your order order-{i} is confirmed": 1 for i in range(8)}


def test_the_same_id_from_two_sources_is_two_events(client):
    first, second = order_event("order.confirmed"), order_event("order.confirmed")
    second |= {"id": first["id"], "source": "/another"}
    send(client, first)
    send(client, second)
    assert len(messages(client)) == 2


@on_both_databases
def test_messages_are_in_the_order_of_what_happened_not_of_what_we_heard_first(client):
    welcome, order = registered(), order_event("order.confirmed")
    welcome["time"], order["time"] = "2030-01-01T10:00:00+00:00", "2030-01-01T12:30:00+01:00"
    send(client, order)
    send(client, welcome, sender="accounts")
    found = messages(client)
    assert [message["at"] for message in found] == ["2030-01-01T11:30:00Z", "2030-01-01T10:00:00Z"]
    assert found[0]["subject"].startswith("Your order")


def test_data_that_we_do_not_need_may_come_or_go(client):
    event = order_event("order.confirmed", surprise={"from": "next year"})
    del event["data"]["lines"]
    assert send(client, event) == 204


@pytest.mark.parametrize("member", ["order_id", "customer_id", "total_cents", "currency"])
def test_data_without_what_we_need_is_refused_and_leaves_nothing(client, member):
    event = order_event("order.confirmed")
    del event["data"][member]
    response = client.post("/events", json=event, headers=as_service("notifications"))
    assert assert_problem(response, 422)["errors"][0]["field"] == member
    event["data"][member] = order_event("order.confirmed")["data"][member]
    assert send(client, event) == 204
    assert len(messages(client)) == 1


@pytest.mark.parametrize("name", ["\x00", "\ud800", 17, None, "x" * 201])
def test_a_name_that_no_message_can_hold_is_refused(client, name):
    response = client.post("/events", json=registered(name=name), headers=as_service("notifications", "accounts"))
    assert_problem(response, 422)


def test_an_event_that_nobody_here_consumes_is_refused(client):
    assert send(client, order_event("order.placed")) == 422
