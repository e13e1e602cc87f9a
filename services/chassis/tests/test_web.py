"""What every service does with a request before its own code sees it, and with every error after."""

import time

import pytest
from apiflask import APIFlask
from flask import request
from pydantic import Field

from chassis import web
from chassis.clock import Age
from chassis.errors import Conflict, TooManyRequests, Unavailable
from chassis.openapi import takes
from chassis.paging import Page
from chassis.schemas import Body, Text
from chassis.settings import ChassisSettings
from chassis.testing import assert_problem, bad_bodies
from chassis.web import make_app

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Settings(ChassisSettings):
    service = "shop"
    prefix = "/api/shop"


class Inner(Body):
    weight: float = Field(ge=0, le=1000)


class Thing(Body):
    name: Text = Field(max_length=50)
    quantity: int = Field(ge=1, le=1000)
    nice: bool = False
    parts: list[Inner] = Field(max_length=3)


def create_app(settings):
    app = make_app(settings)

    @app.post("/things")
    @takes(Thing)
    def make_thing(json_data):
        return {"name": json_data.name}

    @app.get("/things")
    @app.input(Page, location="query")
    def list_things(query_data):
        return {"limit": query_data.limit}

    @app.get("/things/<name>")
    def get_thing(name):
        errors = {
            "taken": Conflict("this name is taken"), "busy": Unavailable("later", retry_after=2.4),
            "fast": TooManyRequests("slower"), "broken": ZeroDivisionError("SELECT secret FROM users"),
        }  # fmt: skip
        raise errors[name]

    return app


@pytest.fixture
def app(tmp_path) -> APIFlask:
    return create_app(Settings(souk_home=tmp_path))


@pytest.fixture
def client(app):
    return app.test_client()


GOOD = {"name": "vase", "quantity": 2, "nice": True, "parts": [{"weight": 1.5}]}


def test_a_good_body_is_taken(client):
    assert client.post("/things", json=GOOD).get_json() == {"name": "vase"}


@pytest.mark.parametrize("body", bad_bodies(GOOD, optional=["nice"]), ids=lambda body: body.name)
def test_a_bad_body_is_refused_with_a_problem(client, body):
    assert_problem(client.post("/things", data=body.raw, content_type=body.content_type), body.status)


def test_a_wrong_field_is_named_with_its_path(client):
    problem = assert_problem(client.post("/things", json={**GOOD, "parts": [{"weight": -1}]}), 422)
    assert [error["field"] for error in problem["errors"]] == ["parts.0.weight"]


def test_two_wrong_fields_are_named_in_one_answer(client):
    problem = assert_problem(client.post("/things", json={**GOOD, "quantity": 0, "colour": "red"}), 422)
    assert sorted(error["field"] for error in problem["errors"]) == ["colour", "quantity"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"name": "vase",', "expecting property name enclosed in double quotes, at line 1, column 17"),
        (b"", "expecting value, at line 1, column 1"),
        (b'{"name', "unterminated string starting, at line 1, column 2"),
        (b'{"name": NaN}', "NaN is not JSON"),
        (b'{"name": "\xff"}', "it is no text in UTF-8"),
        (b"[" * 100_000, "the JSON is nested too deep"),
        (b'{"quantity": ' + b"9" * 5000 + b"}", "a number has too many digits"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_broken_json_is_said(client, raw, why):
    problem = assert_problem(client.post("/things", data=raw, content_type="application/json"), 400)
    assert problem["detail"] == f"the body is not JSON: {why}"


def test_a_chunked_body_of_another_type_is_refused_too(client):
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
    assert_problem(client.post("/things", headers=headers), 415)


def test_the_body_of_a_delete_must_be_json_too(client):
    assert_problem(client.delete("/things", data="a=b", content_type="text/plain"), 415)


def test_an_html_form_is_taken_only_by_a_service_that_has_forms(client, tmp_path):
    assert_problem(client.post("/things", data={"name": "vase"}), 415)
    app = make_app(Settings(souk_home=tmp_path), forms=True)
    app.post("/forms")(lambda: {"name": request.form["name"]})
    with_forms = app.test_client()
    assert with_forms.post("/forms", data={"name": "vase"}).get_json() == {"name": "vase"}
    assert_problem(with_forms.post("/forms", data="name", content_type="text/plain"), 415)


def test_unknown_query_parameters_are_ignored_and_bad_known_ones_are_not(client):
    assert client.get("/things?limit=5&surprise=1").get_json() == {"limit": 5}
    for query in ("limit=0", "limit=101", "limit=-1", "limit=many", "limit=" + "9" * 5000, "limit=%FF"):
        problem = assert_problem(client.get(f"/things?{query}"), 422)
        assert problem["errors"][0]["field"] == "limit"


def test_an_unknown_path_is_a_404_and_a_wrong_method_a_405_that_names_the_right_ones(client):
    assert_problem(client.get("/nowhere"), 404)
    response = client.delete("/things")
    assert_problem(response, 405)
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_a_raised_problem_becomes_its_answer(client):
    assert assert_problem(client.get("/things/taken"), 409)["detail"] == "this name is taken"


def test_problems_that_pass_say_when_to_come_back_in_whole_seconds(client):
    assert client.get("/things/busy").headers["Retry-After"] == "2"
    assert client.get("/things/fast").headers["Retry-After"] == "1"


def test_an_unexpected_error_tells_the_client_nothing_but_a_trace_id(client):
    assert "secret" not in str(assert_problem(client.get("/things/broken"), 500))


def test_every_answer_names_its_instance_and_the_trace_that_the_caller_began(client):
    response = client.get("/things", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert response.headers["X-Trace-Id"] == TRACE
    assert response.headers["X-Served-By"] == "shop"


@pytest.mark.parametrize("header", ["", "garbage", f"00-{'0' * 32}-00f067aa0ba902b7-01", "\x7f" * 9000])
def test_without_a_valid_traceparent_a_new_trace_begins(client, header):
    first = client.get("/things", headers={"traceparent": header}).headers["X-Trace-Id"]
    second = client.get("/things", headers={"traceparent": header}).headers["X-Trace-Id"]
    assert len(first) == 32 and first != second


@pytest.mark.parametrize("budget", ["0", "-5"])
def test_a_request_whose_time_is_over_is_not_begun(client, budget):
    assert_problem(client.get("/things", headers={"X-Request-Timeout-Ms": budget}), 504)


@pytest.mark.parametrize("budget", ["soon", "", "9" * 400, "1e3", "\u00ff"])
def test_a_time_budget_that_makes_no_sense_breaks_nothing(client, budget):
    assert client.get("/things", headers={"X-Request-Timeout-Ms": budget}).status_code == 200


@pytest.mark.parametrize("difference_s", [-30, 0, 30])
def test_a_request_that_queued_too_long_is_shed_whatever_the_gateways_clock_says(client, monkeypatch, difference_s):
    monkeypatch.setattr(web, "_gateway_age", Age())
    theirs = time.time() + difference_s
    for age_s, status in ((0, 200), (60, 503), (0, 200)):
        answer = client.get("/things", headers={"X-Request-Start": str(theirs - age_s)})
        assert answer.status_code == status, age_s


def test_a_second_attempt_is_not_shed_for_what_the_first_one_has_lost(client, monkeypatch):
    monkeypatch.setattr(web, "_gateway_age", Age())
    short = {"X-Request-Timeout-Ms": "750"}
    for age_s, waits, status in ((0, {}, 200), (0.9, {}, 503), (0.9, {"X-Request-Wait-Ms": "60000"}, 200)):
        headers = {"X-Request-Start": str(time.time() - age_s), **short, **waits}
        assert client.get("/things", headers=headers).status_code == status


def test_a_service_that_sheds_nothing_answers_however_long_a_request_queued(monkeypatch):
    monkeypatch.setattr(web, "_gateway_age", Age())
    client = create_app(Settings(shed_after_ms=0)).test_client()
    for age_s in (0, 60):
        assert client.get("/things", headers={"X-Request-Start": str(time.time() - age_s)}).status_code == 200


@pytest.mark.parametrize("start", ["yesterday", "nan", "inf", "-inf", str(2**70)])
def test_a_queue_time_that_makes_no_sense_breaks_nothing(client, start):
    assert client.get("/things", headers={"X-Request-Start": start}).status_code in (200, 503)


def test_health_answers_while_readiness_says_that_the_database_is_away(app, client):
    app.extensions["souk.ready"].append(lambda: False)
    assert client.get("/healthz").status_code == 200
    assert_problem(client.get("/readyz"), 503)


def test_an_instance_that_leaves_is_not_ready(app, client):
    assert client.get("/readyz").status_code == 200
    app.extensions["souk.draining"] = True
    assert_problem(client.get("/readyz"), 503)


def test_metrics_and_both_descriptions_of_the_api_are_served(client):
    client.get("/things")
    assert 'route="/things"' in client.get("/metrics").get_data(as_text=True)
    for path in ("/openapi.json", "/api/shop/openapi.json"):
        assert "/things" in client.get(path).get_json()["paths"]
