"""The outbox and its relay, against real subscribers on free ports."""

import socket
import sqlite3
import threading
import time
from collections import Counter
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select, update

from chassis import database as chassis_database
from chassis.carrier import Outcome
from chassis.database import utc_now
from chassis.errors import Unavailable
from chassis.outbox import Delivery, deliveries, publish, withdraw
from chassis.testing import Neighbour, as_service, eventually, published
from chassis.tests.toy import add, relay_of, toy_app
from chassis.trace import current_trace, new_trace

ROUTES = {"thing.counted": ["ears"]}


@pytest.fixture
def ears():
    neighbour = Neighbour()
    neighbour.answers["POST", "/events"] = (204, None)
    yield neighbour
    neighbour.close()


@pytest.fixture
def relaying():
    """Starts relays, and stops them at the end."""
    started = []

    def start(app):
        relay_of(app).start()
        started.append(relay_of(app))
        return app

    yield start
    for relay in started:
        relay.stop()


def heard(ears):
    return [body for _, path, _, body in ears.requests if path == "/events"]


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


def test_what_is_sent_is_a_cloud_event_with_a_service_token(tmp_path, ears, relaying):
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES))
    add(database_of(app), "apples")
    eventually(lambda: heard(ears))
    _, _, headers, body = ears.requests[0]
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["Authorization"].startswith("Bearer ")
    assert {k: body[k] for k in ("specversion", "type", "source", "subject", "data")} == {
        "specversion": "1.0", "type": "thing.counted", "source": "/toy", "subject": "apples", "data": {"value": 1},
    }  # fmt: skip


def test_the_trace_of_a_change_goes_on_in_its_event(tmp_path, ears, relaying):
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES))
    trace = new_trace()
    current_trace.set(trace)
    add(database_of(app), "apples")
    eventually(lambda: heard(ears))
    assert trace.trace_id in heard(ears)[0]["traceparent"]
    assert trace.trace_id in ears.requests[0][2]["traceparent"]


def test_events_of_a_subject_come_in_order_and_each_once(tmp_path, ears, relaying):
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES))
    for _ in range(10):
        for name in ("apples", "pears", "plums"):
            add(database_of(app), name)
    eventually(lambda: len(heard(ears)) >= 30)
    for name in ("apples", "pears", "plums"):
        assert [e["data"]["value"] for e in heard(ears) if e["subject"] == name] == list(range(1, 11))


def test_three_relays_on_one_database_send_everything_and_in_order(tmp_path, ears, relaying):
    apps = [toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES) for _ in range(3)]
    for app in apps:
        relaying(app)
    for number in range(40):
        add(database_of(apps[number % 3]), f"thing-{number % 4}")
    eventually(lambda: all(state == "sent" for (state,) in rows(apps[0], "state")))
    for subject in {event["subject"] for event in heard(ears)}:
        values = [event["data"]["value"] for event in heard(ears) if event["subject"] == subject]
        assert sorted(set(values)) == list(range(1, 11))
        assert list(dict.fromkeys(values)) == sorted(set(values))


def test_an_absent_subscriber_delays_only_itself_and_gets_everything_when_it_is_back(tmp_path, ears, relaying):
    routes = {"thing.counted": ["ears", "away"]}
    app = relaying(toy_app(tmp_path, {"ears": ears.address, "away": "127.0.0.1:1"}, event_routes=routes))
    for _ in range(3):
        add(database_of(app), "apples")
    eventually(lambda: len(heard(ears)) == 3)
    eventually(lambda: [s for n, s in rows(app, "subscriber", "state") if n == "ears"] == ["sent"] * 3)
    assert {(s, t) for n, s, t in rows(app, "subscriber", "state", "tries") if n == "away"} == {("pending", 0)}


def test_a_subscribers_replica_that_hangs_holds_nothing_up(tmp_path, ears, relaying, monkeypatch):
    monkeypatch.setattr("chassis.push.SEND_TIMEOUT_S", 600)
    monkeypatch.setattr("chassis.outbox.CLAIM_S", 600)
    with socket.create_server(("127.0.0.1", 0)) as hung:  # the kernel accepts, and nobody answers
        both = f'{ears.address}", "127.0.0.1:{hung.getsockname()[1]}'
        app = relaying(toy_app(tmp_path, {"ears": both}, event_routes=ROUTES))
        for number in range(20):
            add(database_of(app), f"thing-{number}")
        eventually(lambda: {state for (state,) in rows(app, "state")} == {"sent"})
    assert len(heard(ears)) == 20


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_subscriber_is_asked_again_and_that_is_no_try(tmp_path, ears, relaying, status):
    ears.answers["POST", "/events"] = lambda _: (status if len(ears.requests) < 4 else 204, None)
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES, event_max_tries=2))
    add(database_of(app), "apples")
    eventually(lambda: rows(app, "state", "tries") == [("sent", 0)])


def test_a_refused_event_is_dead_after_its_tries_and_blocks_nothing_behind_it(tmp_path, ears, relaying):
    ears.answers["POST", "/events"] = lambda body: (422 if body["data"]["value"] == 1 else 204, {})
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES, event_max_tries=2))
    add(database_of(app), "apples")
    add(database_of(app), "apples")
    eventually(lambda: [state for (state,) in rows(app, "state")] == ["dead", "sent"])
    assert rows(app, "tries", "last_error")[0].tries == 2
    assert rows(app, "last_error")[0].last_error.startswith("422")


def test_a_dead_event_is_listed_and_can_be_sent_again(tmp_path, ears, relaying):
    ears.answers["POST", "/events"] = (500, {})
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES, event_max_tries=1))
    client, headers = app.test_client(), as_service("toy", "souk")
    add(database_of(app), "apples")
    eventually(lambda: client.get("/internal/events?state=dead", headers=headers).json["items"])
    (dead,) = client.get("/internal/events?state=dead", headers=headers).json["items"]
    assert (dead["type"], dead["subscriber"], dead["tries"]) == ("thing.counted", "ears", 1)
    ears.answers["POST", "/events"] = (204, None)
    assert client.post(f"/internal/events/{dead['seq']}/retry", headers=headers).status_code == 204
    eventually(lambda: rows(app, "state") == [("sent",)])
    assert client.post(f"/internal/events/{dead['seq']}/retry", headers=headers).status_code == 404
    assert client.get("/internal/events", headers={}).status_code == 401


def test_what_a_dead_replica_had_claimed_is_sent_by_another_once_the_claim_is_over(tmp_path, ears, relaying):
    app = toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES)
    add(database_of(app), "apples")
    with database_of(app).transaction() as session:
        session.execute(update(deliveries).values(claimed_until=utc_now() + timedelta(seconds=0.7)))
    relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES))
    assert heard(ears) == []
    eventually(lambda: heard(ears))


def test_a_delivery_that_has_waited_until_its_claim_was_over_is_left_to_the_next_claim(tmp_path, ears, relaying):
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES))
    late = Delivery(1, "ears", "thing.counted", "{}", 0, utc_now(), claim_ends=time.monotonic() - 0.1)
    relay_of(app)._submit([late])
    add(database_of(app), "apples")
    eventually(lambda: heard(ears))
    assert [event["subject"] for event in heard(ears)] == ["apples"]
    eventually(lambda: relay_of(app)._in_flight.total() == 0)


def test_a_withdrawn_event_is_gone(tmp_path):
    app = toy_app(tmp_path, event_routes=ROUTES)
    with database_of(app).transaction() as session:
        publish(session, "thing.counted", "apples", {"value": 1})
        publish(session, "thing.counted", "pears", {"value": 1})
        withdraw(session, "thing.counted", "apples")
    assert [event["subject"] for event in published(app)] == ["pears"]


def test_writers_in_three_replicas_lose_no_event(tmp_path, ears, relaying):
    apps = [toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES) for _ in range(3)]
    for app in apps:
        relaying(app)

    def work(app, number):
        for _ in range(10):
            add(database_of(app), f"thing-{number}")

    threads = [threading.Thread(target=work, args=(app, n)) for app in apps for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: {state for (state,) in rows(apps[0], "state")} == {"sent"}, within_s=40)
    values = Counter(event["subject"] for event in {e["id"]: e for e in heard(ears)}.values())
    assert values == {f"thing-{n}": 30 for n in range(3)}


def test_an_answer_of_a_stranger_on_the_subscribers_port_delivers_nothing(tmp_path, relaying):
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
    app = relaying(toy_app(tmp_path, {"ears": address}, event_routes=ROUTES, event_max_tries=1))
    add(database_of(app), "apples")
    eventually(lambda: rows(app, "last_error")[0].last_error)
    assert rows(app, "state", "tries") == [("pending", 0)]
    server.shutdown()
    server.server_close()


def test_only_204_says_that_an_event_was_taken(tmp_path, ears, relaying):
    ears.answers["POST", "/events"] = (200, {})
    app = relaying(toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES, event_max_tries=1))
    add(database_of(app), "apples")
    eventually(lambda: rows(app, "state") == [("dead",)])


def test_outcomes_survive_a_database_that_refuses_them(tmp_path, ears, monkeypatch):
    monkeypatch.setattr(chassis_database, "BUSY_TIMEOUT_S", 0.2)
    app = toy_app(tmp_path, {"ears": ears.address}, event_routes=ROUTES)
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
