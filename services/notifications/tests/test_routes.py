import pytest

from chassis.paging import encode_cursor
from chassis.testing import as_operator, as_user, assert_problem, bad_bodies, bad_service_tokens, bad_tokens
from chassis.testing import as_service as service
from chassis.testing_postgres import on_both_databases
from notifications.tests.helpers import messages, order_event, send

PATH = "/api/notifications"


def test_a_new_user_has_no_messages(client):
    assert client.get(PATH, headers=as_user("ada")).get_json() == {"items": [], "next": None}


def test_a_message_has_a_subject_a_body_and_a_time(client):
    send(client, order_event("order.confirmed"))
    [message] = messages(client)
    assert set(message) == {"subject", "body", "at"}


def test_nobody_reads_anothers_messages_not_even_an_operator(client):
    send(client, order_event("order.confirmed", customer="ada"))
    assert messages(client, "bob") == []
    assert client.get(PATH, headers=as_operator()).get_json()["items"] == []


@on_both_databases
def test_pages_show_each_message_once_newest_first_also_when_new_ones_come(client):
    for i in range(7):
        send(client, order_event("order.confirmed", f"order-{i}") | {"time": f"2030-01-01T00:0{i // 2}:00Z"})
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{PATH}?limit=3&cursor={cursor}" if cursor else f"{PATH}?limit=3", headers=as_user("ada"))
        seen += page.get_json()["items"]
        cursor = page.get_json()["next"]
        send(client, order_event("order.cancelled", f"new-{len(seen)}") | {"time": "2031-01-01T00:00:00Z"})
    assert len({message["subject"] for message in seen}) == len(seen) == 7
    assert [message["at"] for message in seen] == sorted((message["at"] for message in seen), reverse=True)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=" + "9" * 30])
def test_a_bad_limit_is_refused(client, query):
    problem = assert_problem(client.get(f"{PATH}?{query}", headers=as_user()), 422)
    assert problem["errors"][0]["field"] == "limit"


NOW, FAR = "2030-01-01T00:00:00+00:00", "0001-01-01T00:00:00+23:59"
CURSORS = [
    "x", "%00", "\u00e4", "e" * 501, *map(encode_cursor, [
        1, "text", None, {}, [], [NOW], [NOW, 1], [1, "id"], ["soon", "id"], [NOW, "id", "more"], [NOW, "\x00"],
        [NOW, "\ud800"], [NOW[:-6], "id"], [FAR, "id"], [[NOW], "id"], 10**30,
    ]),
]  # fmt: skip


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_not_ours_is_refused(client, cursor):
    assert_problem(client.get(f"{PATH}?cursor={cursor}", headers=as_user()), 422)


def test_unknown_query_parameters_are_ignored(client):
    assert client.get(f"{PATH}?surprise=1", headers=as_user()).status_code == 200


@pytest.mark.parametrize("headers", bad_tokens().values(), ids=bad_tokens().keys())
def test_a_bad_token_is_refused(client, headers):
    assert_problem(client.get(PATH, headers=headers), 401)


TOKENS = bad_service_tokens("notifications")


@pytest.mark.parametrize("headers", TOKENS.values(), ids=TOKENS.keys())
def test_only_our_services_may_send_events(client, headers):
    assert_problem(client.post("/events", json=order_event("order.confirmed"), headers=headers), 401)
    assert messages(client) == []


BAD_EVENTS = [
    body
    for body in bad_bodies({"id": "e1", "type": "order.confirmed", "source": "/orders", "subject": "o1", "time": NOW})
    if body.status in (400, 413) or body.name.startswith("without ") or "not an object" in body.name
]


@pytest.mark.parametrize("body", BAD_EVENTS, ids=lambda body: body.name)
def test_what_is_no_event_is_refused(client, body):
    headers = service("notifications")
    assert_problem(client.post("/events", data=body.raw, content_type=body.content_type, headers=headers), body.status)


@pytest.mark.parametrize("time", ["yesterday", "2030-01-01T00:00:00", None])
def test_an_event_needs_a_time_with_its_zone(client, time):
    event = order_event("order.confirmed") | {"time": time}
    assert_problem(client.post("/events", json=event, headers=service("notifications")), 422)


@pytest.mark.parametrize(("method", "path", "status"), [("POST", PATH, 405), ("GET", f"{PATH}/1", 404)])
def test_other_paths_and_methods_are_problems_too(client, method, path, status):
    assert_problem(client.open(path, method=method), status)


def test_the_api_describes_itself(client):
    assert PATH in client.get(f"{PATH}/openapi.json").get_json()["paths"]
