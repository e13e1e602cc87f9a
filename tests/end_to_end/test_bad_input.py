"""What makes no sense is refused with its reason, by the gateway or by the service behind it, and breaks nothing."""

import json
import socket

import pytest

from bench.system import System
from bench.wire import raw

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
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
    reply = raw(
        system.gateway_port, "/api/orders", "POST", JSON | buyer | {"Idempotency-Key": f"bad {len(body)}"}, body
    )
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
    ("A", "/api/orders", {}, None, 400),  # nginx takes a method of one letter, gunicorn does not
    ("GET", "/api/orders", {f"X-{number}": "a" for number in range(150)}, None, 431),
    ("GET", "/api/orders/" + "x" * 7_500, {}, None, 404),
    ("POST", "/api/orders", JSON | {"Idempotency-Key": "\x80"}, order_with(), 422),
    ("POST", "/api/orders", JSON | {"Idempotency-Key": "k" * 129}, order_with(), 422),
    ("PUT", "/api/carts/mine/items/%F0%9F%8C%B6", JSON, b'{"quantity": 1}', 404),
    ("PUT", "/api/carts/mine/items/SOUK-000001", JSON, b'{"quantity": 99999999999999999999999}', 422),
    ("GET", "/api/payments/%ED%A0%80", {}, None, 404),
    ("GET", "/api/orders/" + "x" * 20_000, {}, None, 414),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), BAD_REQUESTS)
def test_a_bad_request_is_refused_with_its_reason(system: System, buyer, method, path, headers, body, status) -> None:
    reply = raw(system.gateway_port, path, method, buyer | headers, body)
    assert reply.status == status, reply.body
    reply.assert_problem()


def test_what_is_no_request_at_all_breaks_nothing(system: System) -> None:
    for rubbish in (b"\x16\x03\x01\x00\xa5\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50):
        with socket.create_connection(("127.0.0.1", system.gateway_port), timeout=30) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            assert b" 500 " not in connection.recv(4096)
    assert raw(system.gateway_port, "/api/catalog/products").status == 200
