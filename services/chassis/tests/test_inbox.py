import threading

from chassis.testing import as_service, as_user, event
from chassis.tests.toy import toy_app, value

HEADERS = as_service("toy")


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
