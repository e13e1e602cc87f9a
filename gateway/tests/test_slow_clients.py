"""Slow clients of the gateway: others are answered meanwhile, and no service hears of a request that is not whole."""

import socket
from contextlib import ExitStack

from gateway.testing import Answer

SLOW = (
    b"",
    b"GET /api/ord",
    b"GET /api/orders/1 HTTP/1.1\r\nHost: shop\r\nX-A",
    b'POST /api/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n{"a": ',
    b"POST /api/orders HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nabc",
)
OF_EACH = 100


def test_slow_clients_hold_up_nobody_and_reach_no_service(upstream, discovery, open_door):
    orders = upstream(lambda seen: Answer(body=seen.body))
    discovery.put("orders", orders)
    door = open_door(NGINX_WORKERS="1")
    with ExitStack() as slow:
        for sent in SLOW * OF_EACH:
            client = slow.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=20))
            client.sendall(sent)
        assert [door.ask("/api/orders/2").status for _ in range(20)] == [200] * 20
        assert {(seen.method, seen.path) for seen in orders.seen} == {("GET", "/api/orders/2")}


def test_a_body_that_comes_slowly_arrives_in_one_piece(upstream, discovery, open_door):
    orders = upstream(lambda seen: Answer(body=seen.body))
    discovery.put("orders", orders)
    door = open_door()
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as client:
        client.sendall(b"POST /api/orders HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"3\r\nabc\r\n", b"2\r\nde\r\n"):
            client.sendall(piece)
            assert door.ask("/api/orders/2").status == 200
            assert [seen.method for seen in orders.seen if seen.method == "POST"] == []
        client.sendall(b"0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    (arrived,) = [seen for seen in orders.seen if seen.method == "POST"]
    assert (arrived.body, arrived.headers["content-length"]) == (b"abcde", "5")
