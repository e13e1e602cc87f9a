"""What a client meets: real nginx in front of real instances."""

import json
import re
from random import Random

import pytest

from gateway.testing import Answer, eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def shop(upstream, discovery, open_door):
    """A gateway with one instance for everything, which tells what it saw."""
    shop = upstream(lambda seen: Answer(body=json.dumps({"path": seen.path, "headers": seen.headers}).encode()))
    for service in ("orders", "catalog", "storefront"):
        discovery.put(service, shop)
    door = open_door()
    door.seen = shop.seen
    return door


HIDDEN = [
    f"{before}{name}{after}"
    for name in ("events", "internal", "metrics", "healthz", "readyz")
    for before, after in (("/", ""), ("//", "/"), ("/./", ""), ("/x/../", "/y"), ("/", ";a=1"), ("/", "?q=1"))
] + [
    "/%69nternal", "/INTERNAL/events", "/Metrics", "/%2finternal", "/internal%2Fevents", "/internal%0a",
    "/api/orders/../../internal", "/api/orders/%2e%2e/%2E%2E/internal/events", "/internal.json", "/events%20",
    "///internal", "/internal/../internal", "/api/../events", "/%2e/metrics", "http://elsewhere/internal",
]  # fmt: skip


def test_internal_paths_are_not_found_in_any_spelling(shop):
    for path in HIDDEN:
        reply = shop.ask(path)
        assert (path, reply.status) == (path, 404)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == 404
    assert shop.seen == []


def spelled(random, name):
    """One of the many ways to write `/name/events`."""
    letters = "".join(random.choice((c, c.upper(), f"%{ord(c):02x}", f"%{ord(c.upper()):02X}")) for c in name)
    slash = random.choice(("/", "//", "/./", "/%2e/", "%2f", "%2F/", "/x/../", "/x/%2e%2E/", "/a/b/..//../"))
    before = random.choice(("", "/api/orders/../..", "/api/%2e%2e", "/static/..", "/."))
    after = random.choice(("", "/", "/events", "%2fevents", "//events", ";a", "?a=b", "%20", ".json", "%3f"))
    return f"{before}/{slash.removeprefix('/')}{letters}{after}"


def test_internal_paths_are_not_found_in_300_more_spellings(shop):
    random = Random(7)
    for _ in range(300):
        path = spelled(random, random.choice(("events", "internal", "metrics", "healthz", "readyz")))
        assert (path, shop.ask(path).status) == (path, 404)
    assert shop.seen == []


@pytest.mark.parametrize(
    ("asked", "sent_on"),
    [
        ("/api/orders/a%2Fb", "/api/orders/a/b"),
        ("/api/orders//x/./y/../z", "/api/orders/x/z"),
        ("/api/orders/a%3Fb%23c%25d%20e?q=%2F&q=a%20b", "/api/orders/a%3Fb%23c%25d%20e?q=%2F&q=a%20b"),
        ("/%2569nternal", "/%2569nternal"),  # decoded once here and once there, this is no internal path
        ("/eventsx", "/eventsx"),
        ("/api/orders/caf%C3%A9%0A", "/api/orders/caf%C3%A9%0A"),
        ("/api/orders/internal", "/api/orders/internal"),
        ("/api/orders/openapi.json", "/api/orders/openapi.json"),
        ("/api/storefront/openapi.json", "/api/storefront/openapi.json"),
    ],
)
def test_the_path_that_was_checked_is_the_path_that_is_sent_on(shop, asked, sent_on):
    reply = shop.ask(asked)
    assert (reply.status, reply.json["path"]) == (200, sent_on)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nobody", "/api/ordersX", "/_errors/problem", "/_errors/page"])
def test_paths_that_belong_to_no_service_are_not_found(shop, path):
    reply = shop.ask(path)
    assert (reply.status, reply.headers["x-served-by"]) == (404, "gateway")
    assert shop.seen == []


def test_a_request_without_a_trace_gets_one(shop):
    reply = shop.ask("/api/orders")
    trace = reply.headers["x-trace-id"]
    sent = reply.json["headers"]
    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-01", sent["traceparent"])
    assert sent["x-request-id"] == reply.headers["x-request-id"] == trace


def test_a_well_formed_trace_of_the_client_goes_on(shop):
    traceparent = f"00-{TRACE}-00f067aa0ba902b7-01"
    reply = shop.ask(
        "/api/orders", headers={"traceparent": traceparent, "tracestate": "a=1", "X-Request-Id": "my-own-1"}
    )
    sent = reply.json["headers"]
    assert (sent["traceparent"], sent["tracestate"], sent["x-request-id"]) == (traceparent, "a=1", "my-own-1")
    assert (reply.headers["x-trace-id"], reply.headers["x-request-id"]) == (TRACE, "my-own-1")


@pytest.mark.parametrize(
    "bad",
    [
        "rubbish",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
    ],
)
def test_a_malformed_trace_is_replaced_with_its_state(shop, bad):
    reply = shop.ask("/api/orders", headers={"traceparent": bad, "tracestate": "a=1", "X-Request-Id": "<script>"})
    sent = reply.json["headers"]
    assert sent["traceparent"] != bad
    assert reply.headers["x-trace-id"] in sent["traceparent"]
    assert "tracestate" not in sent
    assert sent["x-request-id"] == reply.headers["x-request-id"] != "<script>"


def test_what_a_client_claims_about_the_way_is_not_believed(shop):
    claims = {
        "X-Request-Timeout-Ms": "999999", "X-Request-Start": "1", "X-Request-Wait-Ms": "999999",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "X-Forwarded-Prefix": "/evil", "Forwarded": "for=6",
        "X-Real-IP": "6.6.6.6", "Proxy": "http://evil", "X-HTTP-Method-Override": "DELETE", "X-Served-By": "me",
        "SCRIPT_NAME": "/evil", "X-Forwarded-Ssl": "on", "Host": "shop.example:81",
    }  # fmt: skip
    sent = shop.ask("/api/orders", headers=claims).json["headers"]
    assert sent["x-request-timeout-ms"] == sent["x-request-wait-ms"] == "10000"
    assert float(sent["x-request-start"]) > 1_000_000_000
    assert (sent["x-forwarded-for"], sent["x-real-ip"]) == ("127.0.0.1", "127.0.0.1")
    assert (sent["x-forwarded-proto"], sent["x-forwarded-host"]) == ("http", sent["host"])
    gone = {"x-forwarded-prefix", "forwarded", "proxy", "x-http-method-override", "x-served-by", "script_name"}
    assert not {*gone, "x-forwarded-ssl"} & set(sent)
    assert shop.ask("/api/catalog/x").json["headers"]["x-request-timeout-ms"] == "5000"


def test_every_answer_has_the_security_headers_once(upstream, discovery, open_door):
    strict = {"Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'self'"}
    discovery.put("storefront", upstream(lambda seen: Answer(headers=strict)))
    discovery.put("orders", upstream())
    door = open_door()
    for path, referrer in (("/", "no-referrer"), ("/api/orders", "strict-origin-when-cross-origin")):
        reply = door.ask(path)
        names = [name for name, _ in reply.header_list]
        assert len(names) == len(set(names))
        assert (reply.headers["x-content-type-options"], reply.headers["x-frame-options"]) == ("nosniff", "DENY")
        assert (reply.headers["referrer-policy"], reply.headers["server"]) == (referrer, "nginx")
    assert "content-security-policy" not in door.ask("/api/orders").headers


def test_a_problem_that_a_service_answers_passes_unchanged(upstream, discovery, open_door):
    def answer(seen):
        status = int(seen.path.rsplit("/", 1)[1])
        problem = {"Content-Type": "application/problem+json", "Retry-After": "7"}
        return Answer(status, f'{{"detail": "mine {status}"}}'.encode(), problem)

    discovery.put("orders", upstream(answer))
    door = open_door()
    for status in (400, 401, 404, 405, 409, 413, 422, 429, 500, 502, 503, 504):
        reply = door.ask(f"/api/orders/{status}")
        assert (reply.status, reply.json) == (status, {"detail": f"mine {status}"})
        assert (reply.headers["retry-after"], reply.headers["x-served-by"] != "gateway") == ("7", True)


def test_with_nobody_healthy_the_answer_is_503_with_retry_after(open_door):
    reply = open_door().ask("/api/orders/1", headers={"Accept": "text/html"})
    assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json")
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.headers["x-trace-id"] == reply.json["trace_id"]
    assert {"type", "title", "status", "detail", "trace_id"} == set(reply.json)


def test_the_shop_itself_shows_a_page_to_a_browser_and_a_problem_to_others(open_door):
    door = open_door()
    page = door.ask("/", headers={"Accept": "text/html,*/*"})
    assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert page.headers["x-trace-id"].encode() in page.body
    assert page.headers["retry-after"] == "1"
    assert door.ask("/", headers={"Accept": "*/*"}).headers["content-type"] == "application/problem+json"


def test_a_service_that_takes_too_long_is_504(upstream, discovery, open_door, tmp_path):
    released = []
    discovery.put("slow", upstream(lambda seen: eventually(lambda: released, 30) and Answer()))
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[service]]\nname = "slow"\nprefix = "/api/slow"\ntimeout_ms = 50\n')
    reply = open_door(FLEET_FILE=str(fleet)).ask("/api/slow/1")
    released.append(True)
    assert (reply.status, reply.json["status"], reply.json["title"]) == (504, 504, "Deadline passed")


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (413, {"path": "/api/orders", "method": "POST", "body": b"x" * 1_000_001}),
        (414, {"path": "/" + "a" * 9000}),
        (431, {"path": "/", "headers": {"X-Long": "a" * 9000}}),
        (405, {"path": "/", "method": "TRACE"}),
        (400, {"path": "/%00"}),
        (400, {"path": "/", "headers": {"Content-Length": "x"}}),
        (400, {"path": "not-a-path"}),
    ],
)
def test_what_nginx_refuses_itself_is_a_problem_too(shop, status, ask):
    reply = shop.ask(**ask)
    assert (reply.status, reply.json["status"]) == (status, status)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-trace-id"] == reply.json["trace_id"]
    assert reply.json["title"] and reply.json["detail"]
    assert shop.seen == []


def test_a_body_of_the_largest_size_passes(shop):
    assert shop.ask("/api/orders", "POST", body=b"x" * 1_000_000).status == 200
    assert len(shop.seen[0].body) == 1_000_000


def test_limits_count_per_route_and_spare_loopback_unless_told(upstream, discovery, open_door):
    for service in ("orders", "carts"):
        discovery.put(service, upstream())
    slow = {"RATE_LIMITS": '{"/api/orders": 0.1, "/": 100000}'}
    door = open_door(**slow, RATE_LIMIT_LOOPBACK="true")
    replies = [door.ask("/api/orders/1") for _ in range(12)]
    assert [reply.status for reply in replies] == [200] * 6 + [429] * 6  # one, and a burst of five
    refused = replies[-1]
    assert (refused.headers["content-type"], refused.json["status"]) == ("application/problem+json", 429)
    assert refused.headers["retry-after"] == "1"
    assert {door.ask("/api/carts/mine").status for _ in range(12)} == {200}


def test_loopback_is_not_limited_by_default(upstream, discovery, open_door):
    discovery.put("orders", upstream())
    door = open_door(RATE_LIMITS='{"/": 0.1}')
    assert {door.ask("/api/orders/1").status for _ in range(12)} == {200}


def test_large_json_is_compressed_for_those_who_take_it(upstream, discovery, open_door):
    discovery.put("orders", upstream(lambda seen: Answer(body=b'{"a": "%s"}' % (b"x" * 5000))))
    door = open_door()
    small = door.ask("/api/orders", headers={"Accept-Encoding": "gzip"})
    assert (small.headers["content-encoding"], len(small.body) < 1000) == ("gzip", True)
    assert len(door.ask("/api/orders").body) > 5000


def test_the_access_log_has_one_json_object_for_each_request(shop):
    trace = shop.ask("/api/orders/1?token=secret").headers["x-trace-id"]
    log = shop.home / "logs" / "gateway-access.log"
    lines = eventually(lambda: [json.loads(line) for line in log.read_text().splitlines()])
    (line,) = [line for line in lines if line["trace_id"] == trace]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/orders/1", 200)
    assert line["upstream"].startswith("127.0.0.1:") and line["upstream_status"] == "200"
    assert line["request_s"] >= 0 and line["bytes"] > 0 and float(line["upstream_header_s"]) >= 0


def test_the_supervisors_asking_is_not_in_the_access_log(open_door):
    door = open_door(NGINX_WORKERS="1")  # one worker writes its lines in their order
    for path in ("/healthz", "/healthz?q=1", "/last"):
        door.ask(path)
    log = door.home / "logs" / "gateway-access.log"

    def lines():
        found = [json.loads(line) for line in log.read_text().splitlines()]
        return found if any(line["path"] == "/last" for line in found) else None

    assert [line["path"] for line in eventually(lines)] == ["/healthz", "/last"]
