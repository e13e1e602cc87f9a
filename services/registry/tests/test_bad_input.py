"""What is refused, with which status: never 500 except where Consul says so."""

import pytest

REGISTER = "/v1/agent/service/register"
BODIES = [
    "", "[]", "null", '"text"', "3", "{", '{"Name": 3}', "{}", '{"Name": ""}', '{"Name": "a", "Unknown": 1}',
    '{"Name": "a", "Port": "80"}', '{"Name": "a", "Port": 80.5}', '{"Name": "a", "Port": 1e400}',
    '{"Name": "a", "Tags": "x"}', '{"Name": "a", "Tags": [1]}', '{"Name": "a", "Meta": {"a b": "x"}}',
    '{"Name": "a", "Meta": {"": "x"}}', '{"Name": "a", "Meta": {"a": 1}}', '{"Name": "a", "Meta": []}',
    '{"Name": "a", "Weights": {"Passing": 0}}', '{"Name": "a", "Weights": {"Passing": 1, "Warning": -1}}',
    '{"Name": "a", "Weights": 3}', '{"Name": "a", "Address": "0.0.0.0"}', '{"Name": "a", "Address": "::"}',
    '{"Name": "a", "EnableTagOverride": "x"}', '{"Name": "a", "TaggedAddresses": {"lan": "x"}}',
    '{"Name": "a", "Check": "x"}', '{"Name": "a", "Check": []}', '{"Name": "a", "Checks": {"TTL": "5s"}}',
    '{"Name": "a", "Check": {"TTL": "5s", "Unknown": 1}}', '{"Name": "a", "Check": {"Notes": "no kind"}}',
    '{"Name": "a", "Checks": [{}]}', '{"Name": "a", "Checks": [3]}', '{"Name": "a", "Check": {"TTL": "5"}}',
    '{"Name": "a", "Check": {"TTL": "five"}}', '{"Name": "a", "Check": {"TTL": ""}}',
    '{"Name": "a", "Check": {"TTL": "-5s"}}', '{"Name": "a", "Check": {"TTL": "999999999999h"}}',
    '{"Name": "a", "Check": {"TTL": "5s", "Status": "unwell"}}',
    '{"Name": "a", "Check": {"TTL": "5s", "Interval": "5s"}}', '{"Name": "a", "Check": {"HTTP": "http://x"}}',
    '{"Name": "a", "Check": {"TCP": "x:1"}}', '{"Name": "a", "Check": {"HTTP": "http://x", "Interval": "-1s"}}',
    '{"Name": "a", "Check": {"HTTP": 3, "Interval": "1s"}}',
    '{"Name": "a", "Check": {"TTL": "5s", "DeregisterCriticalServiceAfter": "soon"}}',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_registration_that_makes_no_sense_is_refused_and_leaves_nothing(api, body):
    name = api.name()
    answer = api.call("PUT", REGISTER, data=body.replace('"a"', f'"{name}"', 1).encode())

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text
    assert name not in api.get("/v1/agent/services").json()


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b'{"Name": "\\ud800", "Tags": [null], "Port": ' + b"9" * 5000 + b"}", b"[" * 100_000]
)
def test_a_body_that_is_hardly_json_is_refused(api, body):
    assert api.call("PUT", REGISTER, data=body).status_code == 400


def test_half_a_letter_is_replaced_rather_than_sent_back(api):
    name = api.name()
    answer = api.call("PUT", REGISTER, data=f'{{"Name": "{name}", "Tags": ["\\ud800", null]}}'.encode())

    assert answer.status_code == 200
    assert len(api.get(f"/v1/agent/service/{name}").json()["Tags"]) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/agent/check/update/x", ""),
        ("/v1/agent/check/update/x", "{}"),
        ("/v1/agent/check/update/x", '{"Status": "unwell"}'),
        ("/v1/agent/check/update/x", '{"Status": 1}'),
        ("/v1/agent/check/register", "{}"),
        ("/v1/agent/check/register", '{"Name": "x"}'),
        ("/v1/agent/check/register", '{"TTL": "5s"}'),
        ("/v1/agent/check/register", '{"Name": "x", "TTL": "5s", "Status": "unwell"}'),
        ("/v1/agent/service/maintenance/x", ""),
        ("/v1/agent/service/maintenance/x?enable=perhaps", ""),
        ("/v1/agent/maintenance", ""),
    ],
)
def test_other_writes_that_make_no_sense_are_refused(api, path, body):
    answer = api.call("PUT", path, data=body)

    assert answer.status_code == 400
    assert answer.text


def test_what_consul_answers_with_500_is_500_here(api):
    unknown = '{"Name": "x", "TTL": "5s", "ServiceID": "nobody"}'
    assert api.call("PUT", "/v1/agent/check/register", data=unknown).status_code in (404, 500)
    answer = api.get("/v1/health/service/x?dc=elsewhere")
    assert (answer.status_code, answer.text) == (500, "No path to datacenter")


def test_maintenance_of_an_unknown_service_is_404(api):
    assert api.put("/v1/agent/service/maintenance/nobody?enable=true").status_code == 404
    answer = api.get("/v1/agent/service/nobody")
    assert (answer.status_code, answer.text) == (404, "unknown service ID: nobody")


@pytest.mark.parametrize("query", ["index=x", "index=-1", "index=1.5", f"index={2**64}", "wait=x", "wait=5", "wait=1d"])
@pytest.mark.parametrize("path", ["/v1/health/service/x", "/v1/catalog/services", "/v1/kv/x"])
def test_an_index_or_a_wait_that_cannot_be_read_is_refused(api, path, query):
    answer = api.get(f"{path}?{query}")

    assert answer.status_code == 400
    assert answer.text == ("Invalid index" if query.startswith("index") else "Invalid wait time")


def test_contradicting_consistency_is_refused_and_the_rest_is_accepted(api):
    assert api.get("/v1/health/service/x?stale&consistent").status_code == 400
    accepted = "token=t&pretty&stale&near=_agent&dc=dc1"
    assert api.call("GET", f"/v1/health/service/x?{accepted}", headers={"X-Consul-Token": "t"}).status_code == 200


@pytest.mark.parametrize("path", ["service/", "checks/", "state/", "node/"])
def test_a_reading_without_a_name_is_refused(api, path):
    assert api.get(f"/v1/health/{path}").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", REGISTER, {"OPTIONS", "PUT"}),
        ("POST", REGISTER, {"OPTIONS", "PUT"}),
        ("POST", "/v1/health/service/x", {"OPTIONS", "GET"}),
        ("POST", "/v1/kv/x", {"OPTIONS", "GET", "PUT", "DELETE"}),
        ("PUT", "/v1/agent/services", {"OPTIONS", "GET"}),
        ("HEAD", "/v1/agent/services", {"OPTIONS", "GET"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(api, method, path, allowed):
    answer = api.call(method, path)
    assert answer.status_code == 405
    assert answer.text == ("" if method == "HEAD" else f"method {method} not allowed")
    options = api.call("OPTIONS", path)
    assert options.status_code == 200
    for told in (answer, options):
        assert set(told.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1", "/v1/healthy/service/x"])
def test_an_unknown_path_is_404_without_a_body(api, path):
    answer = api.get(path)

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("//v1//agent/self", "/v1/agent/self"),
        ("/v1/kv/a//b?raw", "/v1/kv/a/b?raw"),
        ("/v1/health/service", "/v1/health/service/"),
        ("/", "/ui/"),
    ],
)
def test_a_path_is_cleaned_by_a_redirect(api, path, target):
    answer = api.get(path)

    assert (answer.status_code, answer.headers["Location"]) == (301, target)


@pytest.mark.parametrize(
    "path", ["/v1/session/list", "/v1/acl/tokens", "/v1/query", "/v1/connect/ca/roots", "/v1/event/list"]
)
def test_what_is_left_out_is_404(ours, path):
    assert ours.get(path).status_code == 404


def test_filters_that_are_not_known_are_refused_rather_than_ignored(ours):
    for query in ('filter=Service.Port == "1"', "node-meta=a:b"):
        assert ours.get(f"/v1/health/service/x?{query}").status_code == 501
    for check in ({"GRPC": "x:1", "Interval": "1s"}, {"Args": ["true"], "Interval": "1s"}):
        assert ours.put(REGISTER, {"Name": "x", "Check": check}).status_code == 400
    assert ours.put(REGISTER, {"Name": "x", "Connect": {"Native": True}}).status_code == 400
