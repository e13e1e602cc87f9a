"""The one door: what stays inside, what every answer carries, what bad input meets, with real services behind it."""

import http.client
import json
import re
import socket

import pytest

from bench.system import System, eventually

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]
PRODUCT = "/api/catalog/products/SOUK-000002"
LISTS = ("set-cookie", "vary")
HIDDEN = ("events", "internal", "metrics", "healthz", "readyz")
SPELLINGS = (
    "/{}", "/{}/", "//{}", "/./{}", "/x/../{}", "/{};a=1", "/{}?q=1", "/{}/faults", "/{}%2fevents", "/%2e/{}",
    "/api/orders/../../{}", "/api/orders/%2e%2e/%2E%2E/{}", "http://elsewhere/{}", "///{}", "/{}.json", "/{}%20",
)  # fmt: skip


class Reply:
    """An answer with its headers; none may be there twice but those that are lists."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.body = response.status, response.read()
        names = [name.lower() for name, _ in response.getheaders() if name.lower() not in LISTS]
        assert len(names) == len(set(names)), names
        self.headers = response.headers

    @property
    def json(self):
        return json.loads(self.body)

    def assert_problem(self) -> None:
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        assert set(self.json) >= {"type", "title", "status", "detail", "trace_id"}
        assert (self.json["status"], self.json["trace_id"]) == (self.status, self.headers["X-Trace-Id"])
        assert b"Traceback" not in self.body


def raw(system: System, path: str, method: str = "GET", headers=None, body: bytes | None = None) -> Reply:
    """The path goes out exactly as it is written; no client tidies it up."""
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway_port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return Reply(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize("name", HIDDEN)
def test_internal_paths_stay_inside_in_every_spelling(system: System, name: str) -> None:
    for written in (name, name.upper(), name.capitalize(), f"%{ord(name[0]):02x}{name[1:]}"):
        for spelling in SPELLINGS:
            for method in ("GET", "POST"):
                path = spelling.format(written)
                reply = raw(system, path, method, body=b"{}")
                assert (path, method, reply.status) == (path, method, 404)
                assert reply.headers["X-Served-By"] == "gateway"
                reply.assert_problem()


def test_every_answer_says_who_gave_it_and_under_which_trace(system: System) -> None:
    ids = {service: set(system.registered(service)) for service in ("accounts", "catalog", "storefront")}
    paths = {
        "/": "storefront",
        PRODUCT: "catalog",
        "/api/catalog/products/NONE-1": "catalog",
        "/api/accounts/me": "accounts",
    }
    traces = set()
    for path, service in paths.items():
        reply = raw(system, path)
        assert reply.headers["X-Served-By"] in ids[service]
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Trace-Id"])
        traces.add(reply.headers["X-Trace-Id"])
    assert len(traces) == len(paths)


def test_a_trace_that_the_client_began_goes_on(system: System) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert raw(system, "/api/orders/nothing", headers=headers).headers["X-Trace-Id"] == trace
    eventually(lambda: any(line.get("trace_id") == trace for line in system.logs("orders")))


def test_an_answer_from_the_cache_has_a_trace_of_its_own(system: System) -> None:
    def two() -> tuple[Reply, Reply] | None:
        first, second = raw(system, PRODUCT), raw(system, PRODUCT)
        return (first, second) if second.headers["X-Cache"] == "HIT" else None

    first, second = eventually(two)
    assert second.body == first.body
    assert second.headers["X-Trace-Id"] != first.headers["X-Trace-Id"]
    assert second.headers["X-Served-By"] in set(system.registered("catalog"))


def test_what_is_somebodys_own_is_never_cached(system: System, customer, visitor) -> None:
    assert "X-Cache" not in customer.must("GET", "/api/carts/mine").headers
    assert visitor.ask("GET", "/api/carts/mine").status_code == 401


def test_a_service_without_an_instance_is_unavailable_and_its_neighbours_are_not(system: System, customer) -> None:
    system.scale(notifications=0)
    try:
        reply = eventually(lambda: first_with(503, system, "/api/notifications"))
        reply.assert_problem()
        assert int(reply.headers["Retry-After"]) >= 1
        assert reply.headers["X-Served-By"] == "gateway"
        # Nobody waits for notifications but the customer who reads them.
        order = customer.follow(customer.place({"SOUK-000040": 1}))
        assert order["state"] == "CONFIRMED"
    finally:
        system.scale(notifications=1)
    # The messages come when the service does.
    messages = eventually(
        lambda: [m for m in read_messages(customer) if order["id"] in m["body"]], lambda: read_messages(customer)
    )
    assert len(messages) == 1


def first_with(status: int, system: System, path: str) -> Reply | None:
    reply = raw(system, path)
    return reply if reply.status == status else None


def read_messages(customer) -> list[dict]:
    answer = customer.ask("GET", "/api/notifications")
    return answer.json()["items"] if answer.status_code == 200 else []


JSON = {"Content-Type": "application/json"}
ORDER = {"lines": [{"sku": "SOUK-000001", "quantity": 1}], "payment": {"card": "4242424242424242"}}


def order_with(**changes) -> bytes:
    return json.dumps(ORDER | changes).encode()


def line(**changes) -> bytes:
    return order_with(lines=[ORDER["lines"][0] | changes])


BAD_ORDERS = {
    "not JSON": (b"{", 400),
    "not UTF-8": (b'{"lines": "\xff"}', 400),
    "nothing": (b"", 400),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "an unknown member": (order_with(discount=100), 422),
    "no lines": (order_with(lines=[]), 422),
    "too many lines": (order_with(lines=ORDER["lines"] * 51), 422),
    "none of it": (line(quantity=0), 422),
    "less than none": (line(quantity=-1), 422),
    "too many": (line(quantity=1001), 422),
    "a number without end": (b'{"lines": [{"sku": "SOUK-000001", "quantity": 1e999}], "payment": {}}', 422),
    "a long number": (line(quantity=10**400), 422),
    "words for a number": (line(quantity="1"), 422),
    "half a piece": (line(quantity=0.5), 422),
    "an unknown sku": (line(sku="SOUK-999999"), 422),
    "control characters": (line(sku="SOUK\u0000\n"), 422),
    "half a character": (b'{"lines": [{"sku": "\\ud800", "quantity": 1}], "payment": {"card": "1"}}', 422),
    "a real card": (order_with(payment={"card": "4111111111111111"}), 422),
    "a deep nest": (b"[" * 20_000 + b"]" * 20_000, 400),
    "too much": (order_with(note="x" * 3_000_000), 413),
}


@pytest.mark.parametrize("what", BAD_ORDERS)
def test_a_bad_order_is_refused_with_its_reason(system: System, buyer: dict[str, str], what: str) -> None:
    body, status = BAD_ORDERS[what]
    reply = raw(system, "/api/orders", "POST", JSON | buyer | {"Idempotency-Key": f"bad {len(body)}"}, body)
    assert reply.status == status, reply.body
    reply.assert_problem()
    if status == 422 and what not in ("an unknown sku", "a real card"):
        assert all(error["field"] is not None for error in reply.json["errors"])


@pytest.fixture(scope="module")
def buyer(system: System) -> dict[str, str]:
    """The header of somebody who may order."""
    customer = system.customer()
    tokens = customer.sign_in(customer.email, customer.password)
    return {"Authorization": f"Bearer {tokens['access_token']}"}


BAD_REQUESTS = [
    ("POST", "/api/orders", JSON, order_with(), 428),
    ("POST", "/api/orders", {"Idempotency-Key": "a", "Content-Type": "text/plain"}, order_with(), 415),
    ("POST", "/api/orders", JSON | {"Idempotency-Key": "a", "Authorization": "Bearer x.y.z"}, order_with(), 401),
    ("DELETE", "/api/orders", {}, None, 405),
    ("GET", "/api/orders/none", {}, None, 404),
    ("GET", "/api/orders?limit=0", {}, None, 422),
    ("GET", "/api/orders?limit=999999999999999999999", {}, None, 422),
    ("GET", "/api/orders?cursor=%00rubbish", {}, None, 422),
    ("GET", "/api/orders?scope=all", {}, None, 403),
    ("PUT", "/api/inventory/stock/SOUK-000001", JSON, b'{"on_hand": 1}', 403),
    ("PUT", "/api/catalog/products/SOUK-000001", JSON, b"{}", 403),
    ("GET", "/api/inventory/stock/SOUK-999999", {}, None, 404),
    ("GET", "/api/inventory/stock", {}, None, 403),
    ("GET", "/api/catalog/products?limit=-1", {}, None, 422),
    ("GET", "/api/catalog/products?cursor=rubbish", {}, None, 422),
    ("GET", "/api/catalog/products/%00", {}, None, 400),
    ("PUT", "/api/carts/mine/items/SOUK-000001", JSON, b'{"quantity": -1}', 422),
    ("PUT", "/api/carts/mine/items/SOUK-999999", JSON, b'{"quantity": 1}', 404),
    ("POST", "/api/accounts/users", JSON, b'{"email": "no", "password": "x", "name": ""}', 422),
    ("POST", "/api/accounts/tokens", JSON, b'{"email": "a@b.example", "password": "wrong password"}', 401),
    ("GET", "/api/payments/none", {}, None, 404),
    ("GET", "/api/payments", {}, None, 403),
    ("GET", "/api/notifications?limit=x", {}, None, 422),
    ("GET", "/api/nobody", {}, None, 404),
    ("BREW", "/api/orders", {}, None, 405),
    ("GET", "/api/orders/" + "x" * 20_000, {}, None, 414),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), BAD_REQUESTS)
def test_a_bad_request_is_refused_with_its_reason(system: System, buyer, method, path, headers, body, status) -> None:
    reply = raw(system, path, method, buyer | headers, body)
    assert reply.status == status, reply.body
    reply.assert_problem()


def test_what_is_no_request_at_all_breaks_nothing(system: System) -> None:

    for rubbish in (b"\x16\x03\x01\x00\xa5\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50):
        with socket.create_connection(("127.0.0.1", system.gateway_port), timeout=30) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            assert b" 500 " not in connection.recv(4096)
    assert raw(system, PRODUCT).status == 200
