"""Events by RabbitMQ, with a real server: what is different from HTTP push, and what the network and the broker do."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
from kombu import Connection

from chassis.broker_publisher import CONFIRM_S, Publication, Publisher
from chassis.rabbitmq_server import virtual_host
from chassis.testing import as_service, event, eventually, published
from chassis.testing_rabbitmq import on_rabbitmq
from chassis.tests.ears import ears_by, running
from chassis.tests.test_outbox import ROUTES, database_of, rows
from chassis.tests.toy import add, toy_app, value
from chassis.web import is_ready

pytestmark = on_rabbitmq
TO_ITSELF = {"thing.counted": ["toy"]}


def publish(url, body, **properties):
    """As whoever knows the password could."""
    with Connection(url) as connection:
        text = body if isinstance(body, str) else json.dumps(body)
        producer = connection.Producer()
        producer.publish(
            text,
            exchange="souk.events",
            routing_key="ears",
            serializer=None,
            content_type="x",
            content_encoding="utf-8",
            **properties,
        )


def states(app):
    return {state for (state,) in rows(app, "state")}


class Wire:
    """A way to the broker that can be cut without a word, as by a firewall or a machine that is gone."""

    def __init__(self, url):
        self._to = (urlsplit(url).hostname, urlsplit(url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        parts = urlsplit(url)
        host = f"{parts.username}:{parts.password}@127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = parts._replace(netloc=host).geturl()
        self.silent = threading.Event()  # nothing goes in either direction, on connections that there are
        self.swallow = threading.Event()  # nothing comes back
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._sockets += [near, far]
                cut = threading.Event()
                for source, target, back in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, target, back, cut), daemon=True).start()
        except OSError:
            return

    def _carry(self, source, target, back, cut):
        try:
            while data := source.recv(65536):
                if self.silent.is_set() or (back and self.swallow.is_set()):
                    cut.set()
                if not cut.is_set() or (not back and not self.silent.is_set() and self.swallow.is_set()):
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self):
        for each in self._sockets:
            each.close()


@pytest.fixture
def wire(broker_url):
    wire = Wire(broker_url)
    yield wire
    wire.close()


def test_an_event_goes_to_the_broker_and_has_its_effect(tmp_path, broker_url):
    with running(toy_app(tmp_path, event_routes=TO_ITSELF, events_url=broker_url)) as app:
        add(database_of(app), "apples")
        eventually(lambda: value(app, "apples") == 2)


def test_what_is_published_is_persistent_and_says_who_sent_it(tmp_path, broker_url):
    with running(toy_app(tmp_path, event_routes=ROUTES, events_url=broker_url)) as app:
        add(database_of(app), "apples")
        eventually(lambda: states(app) == {"sent"})
    with Connection(broker_url) as connection:
        message = connection.default_channel.basic_get("souk.ears")
    (sent,) = published(app)
    assert json.loads(message.body)["data"] == sent["data"]
    assert message.properties["delivery_mode"] == 2
    assert message.properties["content_type"] == "application/cloudevents+json"
    assert message.properties["user_id"] == urlsplit(broker_url).username


def test_a_subscriber_that_comes_later_gets_what_was_published_before(tmp_path, broker_url):
    with running(toy_app(tmp_path, event_routes=ROUTES, events_url=broker_url)) as app:
        add(database_of(app), "apples")
        eventually(lambda: states(app) == {"sent"})
    with ears_by(broker_url, tmp_path / "ears") as ears:
        eventually(lambda: len(ears.heard) == 1)


def test_what_is_under_way_to_the_broker_is_recorded_before_the_end(tmp_path, broker_url):
    with running(toy_app(tmp_path, event_routes=ROUTES, events_url=broker_url)) as app:
        eventually(lambda: app.extensions["souk.publisher"].ready)
        for number in range(20):
            add(database_of(app), f"thing-{number}")
    assert states(app) == {"sent"}


def test_three_replicas_share_the_queue_and_each_event_has_its_effect_once(tmp_path, broker_url):
    apps = [toy_app(tmp_path, event_routes=TO_ITSELF, events_url=broker_url) for _ in range(3)]
    with running(apps[0]), running(apps[1]), running(apps[2]):
        for number in range(30):
            add(database_of(apps[number % 3]), f"thing-{number}")
        eventually(lambda: all(value(apps[0], f"thing-{number}") == 2 for number in range(30)))


def test_a_lost_confirm_means_that_it_is_sent_again(tmp_path, broker_url, wire):
    app = toy_app(tmp_path, event_routes=ROUTES, events_url=wire.url)
    with ears_by(broker_url, tmp_path / "ears") as ears, running(app):
        add(database_of(app), "apples")
        eventually(lambda: states(app) == {"sent"})
        wire.swallow.set()
        add(database_of(app), "pears")
        eventually(lambda: [e["subject"] for e in ears.heard] == ["apples", "pears"])
        assert rows(app, "state")[1] == ("pending",)  # it is there, and nobody knows
        # Its confirm may come later than itself, so the wire swallows until nobody waits for it any more.
        eventually(lambda: "no confirm" in (rows(app, "last_error")[1].last_error or ""))
        wire.swallow.clear()
        eventually(lambda: states(app) == {"sent"})
        eventually(lambda: [e["subject"] for e in ears.heard].count("pears") >= 2)
    assert rows(app, "tries") == [(0,), (0,)]


def test_connections_that_are_cut_silently_are_made_anew(tmp_path, broker_url, wire):
    app = toy_app(tmp_path, event_routes=TO_ITSELF, events_url=wire.url)
    with running(app):
        add(database_of(app), "apples")
        eventually(lambda: value(app, "apples") == 2)
        wire.silent.set()
        time.sleep(0.1)
        add(database_of(app), "pears")
        eventually(lambda: not app.extensions["souk.publisher"].ready)
        wire.silent.clear()
        eventually(lambda: value(app, "pears") == 2, within_s=40)


def test_a_broker_that_is_killed_under_publishing_loses_nothing(tmp_path, own_rabbitmq):
    app = toy_app(tmp_path, event_routes=ROUTES, events_url=own_rabbitmq.url)
    done = threading.Event()

    def work():
        for number in range(100):
            add(database_of(app), f"thing-{number}")
            time.sleep(0.01)
        done.set()

    with running(app):
        threading.Thread(target=work).start()
        eventually(lambda: ("sent",) in rows(app, "state"))  # nobody has taken them yet
        own_rabbitmq.kill()
        eventually(done.is_set, within_s=40)
        assert is_ready(app)
        own_rabbitmq.start()
        eventually(lambda: states(app) == {"sent"}, within_s=60)
        with ears_by(own_rabbitmq.url, tmp_path / "ears") as ears:
            eventually(lambda: len({e["id"] for e in ears.heard}) == 100, within_s=60)
    assert {tries for (tries,) in rows(app, "tries")} == {0}


def test_a_broker_that_is_short_of_memory_is_waited_for_and_loses_nothing(tmp_path, own_rabbitmq, capsys):
    with virtual_host(own_rabbitmq) as url, running(toy_app(tmp_path, event_routes=TO_ITSELF, events_url=url)) as app:
        add(database_of(app), "apples")
        eventually(lambda: value(app, "apples") == 2)
        own_rabbitmq.control("set_vm_memory_high_watermark", "0")  # from now on it takes nothing
        try:
            for number in range(100):
                add(database_of(app), f"thing-{number}")
            eventually(lambda: not app.extensions["souk.publisher"].ready)
            time.sleep(CONFIRM_S + 1)  # no confirm comes in time, and that is no reason to connect anew
            assert ("pending",) in rows(app, "state")
            assert is_ready(app)
        finally:
            own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "400MB")
        eventually(lambda: all(value(app, f"thing-{number}") == 2 for number in range(100)), within_s=40)
        eventually(lambda: states(app) == {"sent"})
    said = capsys.readouterr().out
    assert said.count("it is short of memory or disk") == said.count("the broker takes messages again") == 1
    assert said.count("connected to the broker") == 2  # to give, and to take
    assert {tries for (tries,) in rows(app, "tries")} == {0}


def test_a_broker_that_is_away_at_the_start_disturbs_nobody(tmp_path, caplog, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = toy_app(tmp_path, event_routes=ROUTES, events_url=f"amqp://souk:secret@127.0.0.1:{port}/shop")
    with running(app):
        add(database_of(app), "apples")
        time.sleep(1)
        assert is_ready(app)
        assert app.test_client().post("/api/toy/pears").status_code == 200
        assert rows(app, "state", "tries") == [("pending", 0)] * 2
    said = [line for line in capsys.readouterr().out.splitlines() if "the broker is away" in line]
    assert len(said) == 2  # by the publisher and by the consumer, once
    assert "secret" not in "".join(said) and f"127.0.0.1:{port}" in said[0]


@pytest.mark.parametrize("gone", ["queue", "exchange"])
def test_a_message_that_no_queue_takes_is_not_sent_and_what_is_missing_is_made_anew(tmp_path, broker_url, gone):
    with running(toy_app(tmp_path, event_routes=ROUTES, events_url=broker_url)) as app:
        eventually(lambda: app.extensions["souk.publisher"].ready)
        with Connection(broker_url) as connection:
            if gone == "queue":
                connection.default_channel.queue_delete("souk.ears")
            else:
                connection.default_channel.exchange_delete("souk.events")
        add(database_of(app), "apples")
        eventually(lambda: rows(app, "state") == [("sent",)])
        with Connection(broker_url) as connection:
            assert connection.default_channel.queue_declare("souk.ears", passive=True).message_count == 1


def test_what_is_for_a_queue_that_we_may_not_make_waits_until_its_owner_has(tmp_path, rabbitmq, broker_url):
    vhost, name = urlsplit(broker_url).path[1:], urlsplit(broker_url).username
    own = r"^souk\.(events|dead|toy|toy\.dead)$"
    rabbitmq.api("PUT", f"permissions/{vhost}/{name}", configure=own, write=own, read=own)
    with running(toy_app(tmp_path, event_routes={"thing.counted": ["toy", "ears"]}, events_url=broker_url)) as app:
        add(database_of(app), "apples")
        eventually(lambda: value(app, "apples") == 2)
        eventually(lambda: "ears" in (rows(app, "last_error")[1].last_error or ""))
        # The confirm of what reached a queue may come after that of what reached none: it waits for the disk.
        eventually(lambda: rows(app, "state", "tries") == [("sent", 0), ("pending", 0)])
        rabbitmq.api("PUT", f"permissions/{vhost}/{name}", configure=".*", write=".*", read=".*")
        with ears_by(broker_url, tmp_path / "ears") as ears:
            eventually(lambda: len(ears.heard) == 1)
            eventually(lambda: states(app) == {"sent"})


def test_an_unroutable_message_is_reported(broker_url):
    publisher, found = Publisher(broker_url, []), []
    publisher.start()
    try:
        eventually(lambda: publisher.ready)
        for subscriber in ("nobody", "somebody"):
            publisher.publish(Publication(subscriber, "{}", found.append, exchange=""))
        eventually(lambda: len(found) == 2)
        assert found == ["there is no queue for nobody", "there is no queue for somebody"]
    finally:
        publisher.stop()


@pytest.mark.parametrize("body", ["no JSON", '{"id": "1"}', json.dumps(event("thing.unheard", "x", "/toy"))])
def test_what_cannot_be_understood_goes_to_the_dead_letters(tmp_path, broker_url, body):
    with ears_by(broker_url, tmp_path / "ears", event_max_tries=2) as ears:
        eventually(lambda: ears.app.extensions["souk.consumer"].ready)
        user = urlsplit(broker_url).username
        publish(broker_url, body, user_id=user)
        publish(broker_url, event("thing.counted", "apples", "/toy"), user_id=user)
        (dead,) = eventually(lambda: ears.dead(None))
        assert dead["tries"] == 2 and dead["last_error"][:3] in ("400", "422")
        eventually(lambda: [e["subject"] for e in ears.heard] == ["apples"])


def test_a_message_in_somebody_elses_name_is_dead_at_once_and_stays_so(tmp_path, rabbitmq, broker_url):
    mallory, password = f"mallory-{os.getpid()}", "open"
    vhost = urlsplit(broker_url).path[1:]
    rabbitmq.api("PUT", f"users/{mallory}", password=password, tags="")
    rabbitmq.api("PUT", f"permissions/{vhost}/{mallory}", configure="", write="souk.events", read="")
    hers = broker_url.replace(urlsplit(broker_url).netloc.rsplit("@")[0], f"{mallory}:{password}")
    with ears_by(broker_url, tmp_path / "ears") as ears:
        eventually(lambda: ears.app.extensions["souk.consumer"].ready)
        publish(hers, event("thing.counted", "gold", "/toy"), user_id=mallory, message_id="1")
        publish(hers, event("thing.counted", "gold", "/toy"), message_id="2")
        publish(hers, event("thing.counted", "gold", "/toy"), message_id="3", headers={"sender": "toy"})
        publish(hers, event("thing.counted", "apples", f"/{mallory}"), user_id=mallory)
        eventually(lambda: len(ears.dead(None)) == 3)
        eventually(lambda: [e["subject"] for e in ears.heard] == ["apples"])
        for dead in ears.dead(None):
            assert "may not speak for /toy" in dead["last_error"]
            assert ears.retry(None, dead) == 204
        eventually(lambda: len(ears.dead(None)) == 3)
        assert [e["subject"] for e in ears.heard] == ["apples"]
    rabbitmq.api("DELETE", f"users/{mallory}")


def test_the_queue_is_listed_in_pages_and_says_what_waits(tmp_path, broker_url):
    with ears_by(broker_url, tmp_path / "ears", event_max_tries=1) as ears:
        eventually(lambda: ears.app.extensions["souk.consumer"].ready)
        ears.answer = lambda _: 500
        for number in range(5):
            publish(
                broker_url, event("thing.counted", f"thing-{number}", "/toy"), user_id=urlsplit(broker_url).username
            )
        eventually(lambda: len(ears.dead(None)) == 5)
        client, headers, seen, cursor = ears.app.test_client(), as_service("ears", "souk"), [], None
        while True:
            page = client.get(
                "/internal/queue",
                query_string={"limit": 2, "cursor": cursor} if cursor else {"limit": 2},
                headers=headers,
            ).json
            seen += [item["subject"] for item in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert sorted(seen) == [f"thing-{number}" for number in range(5)]
        assert client.get("/internal/queue", headers={}).status_code == 401
    for name in ("late", "later"):  # nobody consumes any more
        publish(broker_url, event("thing.counted", name, "/toy"))
    waiting = client.get("/internal/queue", headers=headers).json["items"][0]
    assert (waiting["state"], waiting["type"], waiting["subscriber"]) == ("pending", "2 events", "ears")


def test_whoever_looks_before_the_first_consumer_finds_nothing_waiting(tmp_path, broker_url):
    client = toy_app(tmp_path, events_url=broker_url).test_client()
    answer = client.get("/internal/queue?state=dead", headers=as_service("toy", "souk"))
    assert (answer.status_code, answer.json["items"]) == (200, [])


def test_tries_are_counted_across_the_replicas_of_a_subscriber(tmp_path, broker_url):
    with (
        ears_by(broker_url, tmp_path / "one", event_max_tries=3) as one,
        ears_by(broker_url, tmp_path / "two", event_max_tries=3) as two,
    ):
        eventually(lambda: all(each.app.extensions["souk.consumer"].ready for each in (one, two)))
        one.answer = two.answer = lambda _: 500
        publish(broker_url, event("thing.counted", "apples", "/toy"), user_id=urlsplit(broker_url).username)
        eventually(lambda: one.dead(None) or two.dead(None))
        assert len(one.heard) + len(two.heard) == 3


def test_many_that_are_refused_for_now_block_nobody_behind_them(tmp_path, broker_url):
    with ears_by(broker_url, tmp_path / "ears") as ears:
        eventually(lambda: ears.app.extensions["souk.consumer"].ready)
        ears.answer = lambda body: 503 if body["subject"] == "never" else 204
        for _ in range(60):  # more than are kept here at once
            publish(broker_url, event("thing.counted", "never", "/toy"), user_id=urlsplit(broker_url).username)
        publish(broker_url, event("thing.counted", "apples", "/toy"), user_id=urlsplit(broker_url).username)
        eventually(lambda: any(e["subject"] == "apples" for e in ears.heard), within_s=40)
        assert ears.dead(None) == []


def test_what_is_under_way_is_finished_before_the_end_and_nothing_new_is_taken(tmp_path, broker_url):
    user, begun, go_on = urlsplit(broker_url).username, threading.Event(), threading.Event()
    with ears_by(broker_url, tmp_path / "ears") as ears:
        eventually(lambda: ears.app.extensions["souk.consumer"].ready)
        ears.answer = lambda _: begun.set() or (204 if go_on.wait(10) else 500)
        publish(broker_url, event("thing.counted", "apples", "/toy"), user_id=user)
        eventually(begun.is_set)
        ears.app.extensions["souk.consumer"].drain()
        channel = ears.app.extensions["souk.consumer"]._channel
        eventually(lambda: "events" not in channel.callbacks)  # the broker has confirmed that it sends no more
        publish(broker_url, event("thing.counted", "late", "/toy"), user_id=user)
        threading.Timer(0.3, go_on.set).start()
    assert [e["subject"] for e in ears.heard] == ["apples"]
    with Connection(broker_url) as connection:  # the first is acknowledged, the second waits for somebody else
        assert json.loads(connection.default_channel.basic_get("souk.ears").body)["subject"] == "late"
        assert connection.default_channel.basic_get("souk.ears") is None


KILLED = """
import sys, time
from pathlib import Path
from chassis import faults
from chassis.tests.ears import running
from chassis.tests.toy import toy_app
faults._active = faults.Fault(name="kill", point=sys.argv[3])
with running(toy_app(Path(sys.argv[1]), events_url=sys.argv[2])):
    time.sleep(60)
"""


@pytest.mark.parametrize("point", ["inbox.received", "inbox.recorded", "inbox.handled"])
def test_a_consumer_that_is_killed_before_it_acknowledges_loses_and_doubles_nothing(tmp_path, broker_url, point):
    emitter = toy_app(tmp_path, event_routes=TO_ITSELF, events_url=broker_url)
    for each in emitter.extensions["souk.background"]:
        if each is not emitter.extensions["souk.consumer"]:
            each.start()
    add(database_of(emitter), "apples")
    eventually(lambda: states(emitter) == {"sent"})
    words = [sys.executable, "-c", KILLED, str(tmp_path), broker_url, point]
    died = subprocess.run(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert value(emitter, "apples") == (2 if point == "inbox.handled" else 1)
    emitter.extensions["souk.consumer"].start()
    with Connection(broker_url) as connection:
        empty = lambda: connection.default_channel.queue_declare("souk.toy", passive=True).message_count == 0  # noqa: E731
        eventually(lambda: value(emitter, "apples") == 2 and empty())
    for each in reversed(emitter.extensions["souk.background"]):
        each.stop()
    assert value(emitter, "apples") == 2
    with Connection(broker_url) as connection:
        assert connection.default_channel.basic_get("souk.toy") is None
