"""Both ends of every event: its emitter really writes what the contract says, and every consumer takes exactly that."""

import json
import uuid

import pytest

from chassis.testing import as_service, published
from services.tests.contract import events
from services.tests.postman import Postman
from services.tests.shop import DECLINED, FLEET

EVENTS = {event.name: event for event in events()}
CONSUMERS = {name: entry["consumes"] for name, entry in FLEET.items() if entry.get("consumes")}
PAIRS = [(name, type_) for name, types in CONSUMERS.items() for type_ in types]


@pytest.fixture(scope="module")
def emitted(shop):
    """What was really emitted on a day on which everything happens once: event type -> the last CloudEvent of it."""
    postman = Postman(shop)
    # Nobody consumes it yet, and what nobody consumes is not written down.
    shop.database("payments").outbox.routes["payment.refunded"] = ["nobody"]
    shop.offer("LAMP")
    shop.offer("GONE", on_hand=0)
    user = {"email": f"{uuid.uuid4()}@souk.example", "password": "open sesame 1", "name": "Ada"}
    assert shop.call("POST", "/api/accounts/users", user).status_code == 201
    for sku, card in (("LAMP", DECLINED), ("GONE", DECLINED)):
        shop.order((sku, 1), card=card)
        postman.finish()
    to_be_refunded = shop.order(("LAMP", 1))
    postman.carry_until("payment.requested")
    postman.pay()
    shop.cancel(to_be_refunded)
    postman.finish()
    shop.order(("LAMP", 1))
    postman.finish()
    refunded = [e for e in published(shop.apps["payments"]) if e["type"] == "payment.refunded"]
    bodies = [json.loads(letter.body) for letter in postman.seen.values()]
    return {body["type"]: body for body in [*bodies, *({**e, "source": "/payments"} for e in refunded)]}


def test_what_is_emitted_is_what_the_contract_lists(emitted):
    assert set(emitted) == set(EVENTS)


@pytest.mark.parametrize("type_", EVENTS)
def test_an_event_has_exactly_the_data_of_the_contract(emitted, type_):
    event = emitted[type_]
    assert set(event["data"]) == EVENTS[type_].data
    assert event["source"] == f"/{EVENTS[type_].emitter}"
    for line in event["data"].get("lines", ()):
        assert set(line) == {"sku", "quantity", "price_cents"}


def test_an_event_is_a_cloud_event(emitted):
    for event in emitted.values():
        if event["type"] != "payment.refunded":  # only its data was read
            assert {"specversion", "id", "type", "source", "subject", "time", "traceparent", "data"} <= set(event)
            assert event["specversion"] == "1.0"
            about = event["data"].get("order_id") or event["data"].get("user_id") or event["data"]["sku"]
            assert event["subject"] == about


@pytest.mark.parametrize("name", [name for name, entry in FLEET.items() if "consumes" in entry])
def test_a_service_handles_exactly_what_the_fleet_says_that_it_consumes(shop, name):
    handlers = shop.apps[name].extensions.get("souk.handlers", {})
    assert set(handlers) == set(FLEET[name]["consumes"])
    assert set(handlers) <= set(EVENTS)


def test_what_comes_in_batches_is_consumed_and_nobody_on_the_way_to_confirmed_waits_for_it():
    for name, entry in FLEET.items():
        batches = set(entry.get("batches", ()))
        assert batches <= set(entry.get("consumes", ()))
        on_the_way = {"inventory": {"order.placed"}, "payments": {"payment.requested"}, "orders": batches}
        assert not batches & on_the_way.get(name, set())


@pytest.mark.parametrize(("consumer", "type_"), PAIRS)
def test_a_consumer_takes_exactly_what_the_emitter_writes(shop, emitted, consumer, type_):
    event = emitted[type_] | {"id": str(uuid.uuid4())}
    answer = shop.clients[consumer].post("/events", json=event, headers=as_service(consumer, EVENTS[type_].emitter))
    assert answer.status_code == 204, answer.json


@pytest.mark.parametrize(("consumer", "type_"), PAIRS)
def test_a_consumer_does_not_mind_members_that_it_does_not_know(shop, emitted, consumer, type_):
    """Shapes grow by adding, and a rolling restart runs two versions side by side."""
    event = emitted[type_] | {"id": str(uuid.uuid4()), "colour": "red"}
    event["data"] = event["data"] | {"colour": "red"}
    answer = shop.clients[consumer].post("/events", json=event, headers=as_service(consumer, EVENTS[type_].emitter))
    assert answer.status_code == 204, answer.json
