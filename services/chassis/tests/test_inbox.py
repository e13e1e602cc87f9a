import threading

from structlog.testing import capture_logs

from chassis.inbox import MOST_IN_A_BATCH
from chassis.testing import as_service, as_user, event, make_test_app
from chassis.tests.ears import Ears, ears_app
from chassis.tests.ears import Settings as EarsSettings
from chassis.tests.toy import toy_app, value
from chassis.trace import current_trace, new_trace

HEADERS = as_service("toy")
BATCH_HEADERS = HEADERS | {"Content-Type": "application/cloudevents-batch+json"}


def test_an_event_has_its_effect_once_however_often_it_comes(tmp_path):
    app = toy_app(tmp_path)
    body = event("thing.counted", "apples", id_="one")
    for _ in range(3):
        assert app.test_client().post("/events", json=body, headers=HEADERS).status_code == 204
    assert value(app, "apples") == 1


def test_the_same_id_from_another_source_is_another_event(tmp_path):
    app = toy_app(tmp_path)
    for source in ("/orders", "/payments"):
        body = event("thing.counted", "apples", source, id_="one")
        app.test_client().post("/events", json=body, headers=HEADERS)
    assert value(app, "apples") == 2


def test_one_event_at_three_replicas_at_once_has_one_effect(tmp_path):
    apps = [toy_app(tmp_path) for _ in range(3)]
    statuses, barrier = [], threading.Barrier(12)
    body = event("thing.counted", "apples", id_="one")

    def deliver(app):
        barrier.wait()
        statuses.append(app.test_client().post("/events", json=body, headers=HEADERS).status_code)

    threads = [threading.Thread(target=deliver, args=(apps[n % 3],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [204] * 12
    assert value(apps[0], "apples") == 1


def test_events_need_a_service_token_for_this_service(tmp_path):
    client = toy_app(tmp_path).test_client()
    body = event("thing.counted", "apples")
    for headers in ({}, as_user(), as_service("orders")):
        assert client.post("/events", json=body, headers=headers).status_code == 401


def test_an_unknown_type_and_a_broken_event_are_refused(tmp_path):
    client = toy_app(tmp_path).test_client()
    for body in (event("thing.unheard", "x"), {"id": "1"}, event("thing.counted", "x" * 65), []):
        answer = client.post("/events", json=body, headers=HEADERS)
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


def test_members_that_a_newer_sender_adds_are_ignored(tmp_path):
    app = toy_app(tmp_path)
    body = event("thing.counted", "apples") | {"invented": "later"}
    assert app.test_client().post("/events", json=body, headers=HEADERS).status_code == 204


def test_each_event_of_a_batch_has_its_effect_once(tmp_path):
    app = toy_app(tmp_path)
    batch = [event("thing.counted", name, id_=name) for name in ("apples", "pears", "apples")]
    for _ in range(2):
        assert app.test_client().post("/events", json=batch, headers=BATCH_HEADERS).status_code == 204
    assert (value(app, "apples"), value(app, "pears")) == (1, 1)


def test_of_a_batch_what_is_before_a_refused_event_stays_done(tmp_path):
    app = toy_app(tmp_path)
    batch = [event("thing.counted", "apples"), event("thing.unheard", "x"), event("thing.counted", "pears")]
    assert app.test_client().post("/events", json=batch, headers=BATCH_HEADERS).status_code == 422
    assert (value(app, "apples"), value(app, "pears")) == (1, 0)


def test_a_batch_is_neither_empty_nor_endless(tmp_path):
    client = toy_app(tmp_path).test_client()
    for count in (0, MOST_IN_A_BATCH + 1):
        batch = [event("thing.counted", "apples") for _ in range(count)]
        assert client.post("/events", json=batch, headers=BATCH_HEADERS).status_code == 422


def test_each_event_of_a_batch_goes_on_with_its_own_trace_and_has_its_line_in_the_log(tmp_path):
    ears, traces, found = Ears(), [new_trace(), new_trace()], []
    ears.answer = lambda _: found.append(current_trace.get()) or 204
    app = make_test_app(ears_app(ears), EarsSettings, tmp_path)
    batch = [event("thing.counted", trace.span_id) | {"traceparent": trace.header()} for trace in traces]
    with capture_logs() as lines:
        app.test_client().post("/events", json=batch, headers=BATCH_HEADERS | as_service("ears"))
    assert [trace.trace_id for trace in found] == [trace.trace_id for trace in traces]
    assert [line["subject"] for line in lines if line["event"] == "event"] == [trace.span_id for trace in traces]
