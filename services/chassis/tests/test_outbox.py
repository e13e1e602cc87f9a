"""The outbox and its relay, against real subscribers on free ports."""

import socket
import sqlite3
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select, update

from chassis import engines
from chassis.carrier import Outcome
from chassis.database import utc_now
from chassis.errors import Unavailable
from chassis.outbox import Delivery, deliveries, publish, withdraw
from chassis.push import BATCH
from chassis.testing import eventually, published
from chassis.testing_rabbitmq import over_both_carriers
from chassis.tests.ears import ears_by, running
from chassis.tests.toy import add, relay_of, toy_app
from chassis.trace import current_trace, new_trace

ROUTES = {"thing.counted": ["ears"]}


@pytest.fixture
def ears(tmp_path, events_url):
    with ears_by(events_url, tmp_path / "ears", event_max_tries=2) as ears:
        yield ears


@pytest.fixture
def make_app(tmp_path, ears, events_url):
    """Another replica of the emitter on the same database."""
    return lambda **more: toy_app(
        tmp_path, ears.neighbours, **({"event_routes": ROUTES, "event_max_tries": 2, "events_url": events_url} | more)
    )


@pytest.fixture
def relaying(make_app):
    """Makes replicas that relay, until the end of the test."""
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(running(make_app(**more)))


def rows(app, *columns):
    with app.extensions["souk.database"].reading() as session:
        return session.execute(select(*(deliveries.c[c] for c in columns)).order_by(deliveries.c.seq)).all()


def database_of(app):
    return app.extensions["souk.database"]


def test_an_event_is_written_with_its_change_and_not_without(tmp_path):
    app = toy_app(tmp_path, event_routes=ROUTES)
    add(database_of(app), "apples")
    with pytest.raises(RuntimeError):
        add(database_of(app), "pears", fail=True)
    assert [event["subject"] for event in published(app)] == ["apples"]


def test_nothing_is_written_for_nobody(tmp_path):
    app = toy_app(tmp_path, event_routes={"other.thing": ["ears"]})
    add(database_of(app), "apples")
    assert published(app) == []


def test_each_subscriber_has_a_delivery_of_its_own(tmp_path):
    app = toy_app(tmp_path, event_routes={"thing.counted": ["ears", "eyes"]})
    add(database_of(app), "apples")
    assert [event["subscriber"] for event in published(app)] == ["ears", "eyes"]


def test_what_is_sent_is_a_cloud_event_with_a_service_token(ears, relaying):
    app = relaying()
    add(database_of(app), "apples")
    eventually(lambda: ears.heard)
    _, _, headers, body = ears.neighbour.requests[0]
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["Authorization"].startswith("Bearer ")
    assert {k: body[k] for k in ("specversion", "type", "source", "subject", "data")} == {
        "specversion": "1.0", "type": "thing.counted", "source": "/toy", "subject": "apples", "data": {"value": 1},
    }  # fmt: skip


@over_both_carriers
def test_the_trace_of_a_change_goes_on_in_its_event(ears, relaying):
    app, found = relaying(), []
    ears.answer = lambda _: found.append(current_trace.get()) or 204
    trace = new_trace()
    current_trace.set(trace)
    add(database_of(app), "apples")
    eventually(lambda: found)
    assert trace.trace_id in ears.heard[0]["traceparent"]
    if ears.neighbour:
        assert trace.trace_id in ears.neighbour.requests[0][2]["traceparent"]
    else:
        assert found[0].trace_id == trace.trace_id


@over_both_carriers
def test_events_of_a_subject_come_in_order_and_each_once(ears, relaying, events_url):
    app = relaying()
    for _ in range(10):
        for name in ("apples", "pears", "plums"):
            add(database_of(app), name)
    eventually(lambda: len(ears.heard) >= 30)
    for name in ("apples", "pears", "plums"):
        values = [e["data"]["value"] for e in ears.heard if e["subject"] == name]
        # By a broker they are handed over in order, and several are worked on at once.
        assert (sorted(values) if events_url else values) == list(range(1, 11))


@over_both_carriers
def test_three_relays_on_one_database_send_everything_and_in_order(ears, relaying, events_url):
    apps = [relaying() for _ in range(3)]
    for number in range(40):
        add(database_of(apps[number % 3]), f"thing-{number % 4}")
    eventually(lambda: all(state == "sent" for (state,) in rows(apps[0], "state")))
    eventually(lambda: len({event["id"] for event in ears.heard}) == 40)
    for subject in {event["subject"] for event in ears.heard}:
        values = list(dict.fromkeys(e["data"]["value"] for e in ears.heard if e["subject"] == subject))
        assert (sorted(values) if events_url else values) == list(range(1, 11))


def test_an_absent_subscriber_delays_only_itself_and_gets_everything_when_it_is_back(tmp_path, ears, relaying):
    routes = {"thing.counted": ["ears", "away"]}
    app = toy_app(tmp_path, {**ears.neighbours, "away": "127.0.0.1:1"}, event_routes=routes)
    with running(app):
        for _ in range(3):
            add(database_of(app), "apples")
        eventually(lambda: len(ears.heard) == 3)
        eventually(lambda: [s for n, s in rows(app, "subscriber", "state") if n == "ears"] == ["sent"] * 3)
        assert {(s, t) for n, s, t in rows(app, "subscriber", "state", "tries") if n == "away"} == {("pending", 0)}


def test_a_subscribers_replica_that_hangs_holds_nothing_up(tmp_path, ears, monkeypatch):
    monkeypatch.setattr("chassis.push.SEND_TIMEOUT_S", 600)
    monkeypatch.setattr("chassis.outbox.CLAIM_S", 600)
    with socket.create_server(("127.0.0.1", 0)) as hung:  # the kernel accepts, and nobody answers
        both = f'{ears.neighbour.address}", "127.0.0.1:{hung.getsockname()[1]}'
        with running(toy_app(tmp_path, {"ears": both}, event_routes=ROUTES)) as app:
            for number in range(20):
                add(database_of(app), f"thing-{number}")
            eventually(lambda: {state for (state,) in rows(app, "state")} == {"sent"})
    assert len(ears.heard) == 20


@over_both_carriers
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_subscriber_is_asked_again_and_that_is_no_try(ears, relaying, status):
    answers = iter([status] * 3)  # more often than there are tries
    ears.answer = lambda _: next(answers, 204)
    app = relaying()
    add(database_of(app), "apples")
    eventually(lambda: len(ears.heard) == 4)
    eventually(lambda: rows(app, "state", "tries") == [("sent", 0)])
    assert ears.dead(app) == []


@over_both_carriers
@pytest.mark.parametrize("status", [422, 500])
def test_a_refused_event_is_dead_after_its_tries_and_blocks_nothing_behind_it(ears, relaying, status):
    ears.answer = lambda body: status if body["data"]["value"] == 1 else 204
    app = relaying()
    add(database_of(app), "apples")
    add(database_of(app), "apples")
    (dead,) = eventually(lambda: ears.dead(app))
    assert (dead["subject"], dead["tries"], dead["last_error"][:3]) == ("apples", 2, str(status))
    eventually(lambda: [body["data"]["value"] for body in ears.heard].count(2) == 1)
    assert [body["data"]["value"] for body in ears.heard].count(1) == 2


@over_both_carriers
def test_a_dead_event_is_listed_and_can_be_sent_again(ears, relaying):
    ears.answer = lambda _: 500
    app = relaying()
    add(database_of(app), "apples")
    (dead,) = eventually(lambda: ears.dead(app))
    assert (dead["type"], dead["subscriber"], dead["tries"]) == ("thing.counted", "ears", 2)
    assert (dead["id"], dead["state"]) == (ears.heard[0]["id"], "dead")
    ears.answer = lambda _: 204
    assert ears.retry(app, dead) == 204
    eventually(lambda: len(ears.heard) == 3)
    eventually(lambda: rows(app, "state") == [("sent",)])
    assert ears.dead(app) == []
    assert ears.retry(app, dead) == 404
    assert app.test_client().get("/internal/events", headers={}).status_code == 401


@over_both_carriers
def test_what_a_dead_replica_had_claimed_is_sent_by_another_once_the_claim_is_over(ears, make_app, relaying):
    app = make_app()
    add(database_of(app), "apples")
    with database_of(app).transaction() as session:
        session.execute(update(deliveries).values(claimed_until=utc_now() + timedelta(seconds=0.7)))
    relaying()
    assert ears.heard == []
    eventually(lambda: ears.heard)


@over_both_carriers
def test_a_delivery_that_has_waited_until_its_claim_was_over_is_left_to_the_next_claim(ears, relaying):
    app = relaying()
    late = Delivery(1, "ears", "thing.counted", "{}", 0, utc_now(), claim_ends=time.monotonic() - 0.1)
    relay_of(app)._submit([late])
    add(database_of(app), "apples")
    eventually(lambda: ears.heard)
    assert [event["subject"] for event in ears.heard] == ["apples"]
    eventually(lambda: relay_of(app)._in_flight.total() == 0)


def test_a_withdrawn_event_is_gone(tmp_path):
    app = toy_app(tmp_path, event_routes=ROUTES)
    with database_of(app).transaction() as session:
        publish(session, "thing.counted", "apples", {"value": 1})
        publish(session, "thing.counted", "pears", {"value": 1})
        withdraw(session, "thing.counted", "apples")
    assert [event["subject"] for event in published(app)] == ["pears"]


@over_both_carriers
def test_writers_in_three_replicas_lose_no_event(ears, relaying):
    apps = [relaying() for _ in range(3)]

    def work(app, number):
        for _ in range(5):
            add(database_of(app), f"thing-{number}")

    threads = [threading.Thread(target=work, args=(app, n)) for app in apps for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: {state for (state,) in rows(apps[0], "state")} == {"sent"}, within_s=40)
    eventually(lambda: len({event["id"] for event in ears.heard}) == 45)
    values = Counter(event["subject"] for event in {e["id"]: e for e in ears.heard}.values())
    assert values == {f"thing-{n}": 15 for n in range(3)}


def test_an_answer_of_a_stranger_on_the_subscribers_port_delivers_nothing(tmp_path):
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    with running(toy_app(tmp_path, {"ears": address}, event_routes=ROUTES, event_max_tries=1)) as app:
        add(database_of(app), "apples")
        eventually(lambda: rows(app, "last_error")[0].last_error)
        assert rows(app, "state", "tries") == [("pending", 0)]
    server.shutdown()
    server.server_close()


def count_many(app, *names):
    """In one transaction, so that all are there for the same round."""
    with database_of(app).transaction() as session:
        for name in names:
            publish(session, "thing.counted", name, {"value": 1})


def test_what_nobody_waits_for_goes_in_as_few_requests_as_there_are_batches(ears, relaying):
    app = relaying(event_batches=ROUTES)
    count_many(app, *(f"thing-{number}" for number in range(BATCH + 5)))
    eventually(lambda: {state for (state,) in rows(app, "state")} == {"sent"})
    sizes = [len(body) for _, _, _, body in ears.neighbour.requests]
    assert sorted(sizes) == [5, BATCH]
    assert {headers["Content-Type"] for _, _, headers, _ in ears.neighbour.requests} == {
        "application/cloudevents-batch+json"
    }
    assert {event["subject"] for event in ears.heard} == {f"thing-{number}" for number in range(BATCH + 5)}


def test_what_somebody_waits_for_goes_alone(ears, relaying):
    app = relaying(event_batches={"other.thing": ["ears"], "thing.counted": ["eyes"]})
    count_many(app, "apples", "pears")
    eventually(lambda: {state for (state,) in rows(app, "state")} == {"sent"})
    assert len(ears.neighbour.requests) == 2


@over_both_carriers
def test_one_refused_event_of_a_batch_is_dead_alone(ears, relaying):
    ears.answer = lambda body: 422 if body["subject"] == "pears" else 204
    app = relaying(event_batches=ROUTES)
    count_many(app, "apples", "pears", "plums")
    (dead,) = eventually(lambda: ears.dead(app), within_s=20)
    assert (dead["subject"], dead["tries"]) == ("pears", 2)
    eventually(lambda: {"apples", "plums"} <= {event["subject"] for event in ears.heard})
    eventually(lambda: [state for (state,) in rows(app, "state")].count("sent") >= 2)


def test_a_subscriber_that_knows_no_batches_gets_each_event_alone(ears, relaying):
    ears.neighbour.answers["POST", "/events"] = lambda body: (422 if isinstance(body, list) else ears.listen(body), {})
    app = relaying(event_batches=ROUTES)
    count_many(app, "apples", "pears", "plums")
    eventually(lambda: {state for (state,) in rows(app, "state")} == {"sent"})
    assert sorted(event["subject"] for event in ears.heard) == ["apples", "pears", "plums"]


def test_only_204_says_that_an_event_was_taken(ears, relaying):
    ears.answer = lambda _: 200
    app = relaying(event_max_tries=1)
    add(database_of(app), "apples")
    eventually(lambda: rows(app, "state") == [("dead",)])


def test_outcomes_survive_a_database_that_refuses_them(tmp_path, make_app, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.2)  # how long SQLite itself waits for a lock
    app = make_app()
    add(database_of(app), "apples")
    relay = relay_of(app)
    with database_of(app).write() as connection:
        (delivery,) = relay._claim(connection, ["ears"])
    relay._outcomes.put(Outcome(delivery, sent=True))
    blocker = sqlite3.connect(tmp_path / "data" / "toy.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        relay.record_outcomes()
    blocker.execute("ROLLBACK")
    blocker.close()
    relay.record_outcomes()
    assert rows(app, "state") == [("sent",)]
