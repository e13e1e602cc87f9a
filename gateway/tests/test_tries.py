"""Instances that hang, are slow or have enough to do: what it costs, and whom."""

import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.instance import Instance
from gateway.testing import Answer, eventually

TRY_MS, WHOLE_MS = 300, 12_000
FLEET = f"""
[[service]]
name = "shop"
prefix = "/api/shop"
idempotent = ["/api/shop/keyed"]
try_ms = {TRY_MS}
timeout_ms = {WHOLE_MS}
threads = 2
"""
# What may be tried on one instance after the other, and what must reach one only.
TRIED = [("GET", "/x", {}), ("HEAD", "/x", {}), ("PUT", "/x", {}), ("DELETE", "/x", {}), ("POST", "/keyed", {})]
ONCE = [
    ("POST", "/x", {}),
    ("PATCH", "/x", {}),
    ("PUT", "/x", {"If-Match": '"1"'}),
    ("DELETE", "/x", {"If-Match": '"1"'}),
    ("PUT", "/x", {"If-None-Match": "*"}),
    ("PUT", "/keyed", {"If-Match": '"1"'}),
]


@pytest.fixture
def released():
    """Set at the end, so that nothing hangs for longer than the test."""
    released = threading.Event()
    yield released
    released.set()


@pytest.fixture
def shop(tmp_path, discovery, open_door):
    """A gateway in front of these instances of one service, which has short tries."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)

    def open_shop(*instances, **environ):
        discovery.put("shop", *instances)
        return open_door(FLEET_FILE=str(file), **environ)

    return open_shop


def hung(upstream, released):
    """An instance that takes every request and answers none."""
    return upstream(lambda seen: released.wait(60) and Answer(drop=True))


@pytest.mark.parametrize(("method", "path", "headers"), TRIED)
def test_a_hung_instance_costs_no_request(upstream, released, shop, method, path, headers):
    stuck = hung(upstream, released)
    door = shop(stuck, upstream(), upstream())
    for number in range(9):
        assert door.ask(f"/api/shop{path}", method, headers, b"%d" % number).status == 200
    assert {seen.headers["x-request-timeout-ms"] for seen in stuck.seen} == {str(TRY_MS + 50)}
    assert {seen.headers["x-request-wait-ms"] for seen in stuck.seen} == {str(2 * TRY_MS + 50)}, "for all tries"
    assert {seen.method for seen in stuck.seen} == {method}


def test_nor_does_one_that_does_not_even_read(upstream, discovery, tmp_path, open_door):
    """A stopped process: the kernel takes connections for it, and what fits into its buffers."""
    (tmp_path / "fleet.toml").write_text(FLEET.replace(f"try_ms = {TRY_MS}", "try_ms = 2000"))
    well = upstream()
    discovery.put("shop", well)
    door = open_door(FLEET_FILE=str(tmp_path / "fleet.toml"), MAX_BODY_BYTES="20000000")
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        with door.reload():
            known = [*discovery.known["shop"], Instance("stopped", "shop", *stopped.getsockname())]
            discovery.listeners["shop"](known)
        for _ in range(2):
            assert door.ask("/api/shop/x", "PUT", body=b"x" * 20_000_000).status == 200
    assert {seen.headers["x-request-timeout-ms"] for seen in well.seen} == {"2050"}, "the second try had it"


@pytest.mark.parametrize(("method", "path", "headers"), ONCE)
def test_what_must_not_be_tried_reaches_one_instance_and_has_the_whole_time(
    upstream, released, shop, method, path, headers
):
    both = [upstream(lambda seen: released.wait(5 * TRY_MS / 1000) or Answer(body=b"late")) for _ in range(2)]
    reply = shop(*both).ask(f"/api/shop{path}", method, headers, b"once")
    assert (reply.status, reply.body) == (200, b"late")
    (seen,) = [*both[0].seen, *both[1].seen]
    assert (seen.method, seen.path, seen.body) == (method, f"/api/shop{path}", b"once")
    assert seen.headers["x-request-timeout-ms"] == str(WHOLE_MS)


@pytest.mark.parametrize(("method", "path"), [("GET", "/a%3Fb%2525?q=%2F"), ("POST", "/keyed")])
def test_when_all_are_slow_one_gets_the_whole_time_after_two_tries(upstream, released, shop, method, path):
    def answer(seen):
        asked.append(seen)
        released.wait(3 * TRY_MS / 1000)
        return Answer(body=b"late")

    asked = []
    reply = shop(*(upstream(answer) for _ in range(3))).ask(f"/api/shop{path}", method, body=b"x" * 100_000)
    assert (reply.status, reply.body) == (200, b"late")
    short, whole = str(TRY_MS + 50), str(WHOLE_MS)
    assert [seen.headers["x-request-timeout-ms"] for seen in asked] == [short, short, whole]
    assert {(seen.method, seen.path, len(seen.body)) for seen in asked} == {(method, f"/api/shop{path}", 100_000)}


@pytest.mark.parametrize(("method", "path"), [("GET", "/x"), ("POST", "/keyed")])
def test_when_one_is_slow_and_the_other_is_gone_the_slow_one_gets_the_whole_time(
    upstream, released, discovery, shop, method, path
):
    """A replica is killed while the other has much to do: a refused try must not end what a short one began."""
    slow = upstream(lambda seen: released.wait(3 * TRY_MS / 1000) or Answer(body=b"late"))
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    door = shop(slow)
    with door.reload():
        known = [*discovery.known["shop"], Instance("gone", "shop", *address)]
        discovery.listeners["shop"](known)
    for _ in range(2):  # whoever comes first in turn
        reply = door.ask(f"/api/shop{path}", method, body=b"")
        assert (reply.status, reply.body) == (200, b"late")


def test_slowness_of_all_leaves_nobody_out(upstream, released, shop):
    def answer(_seen):
        if not fast:
            released.wait(3 * TRY_MS / 1000)
        return Answer()

    fast = []
    door = shop(*(upstream(answer) for _ in range(2)))
    with ThreadPoolExecutor(4) as pool:
        assert [reply.status for reply in pool.map(lambda _: door.ask("/api/shop/x"), range(8))] == [200] * 8
    fast.append(True)
    assert len({door.served_by("/api/shop/x") for _ in range(10)}) == 2


def test_when_nobody_answers_in_the_whole_time_either_it_is_504(upstream, released, tmp_path, discovery, open_door):
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET.replace(str(WHOLE_MS), str(2 * TRY_MS)))
    discovery.put("shop", *(hung(upstream, released) for _ in range(2)))
    door = open_door(FLEET_FILE=str(file))
    for method in ("GET", "POST"):
        reply = door.ask("/api/shop/x", method, body=b"")
        assert (reply.status, reply.json["status"], reply.headers["x-served-by"]) == (504, 504, "gateway")
        assert reply.headers["x-trace-id"] == reply.json["trace_id"]


@pytest.mark.parametrize("status", [500, 503, 504])
def test_the_error_of_an_instance_is_an_answer_also_where_it_could_be_tried(upstream, shop, status):
    both = [upstream(lambda seen: Answer(status, b"mine")) for _ in range(2)]
    reply = shop(*both).ask("/api/shop/x")
    assert (reply.status, reply.body) == (status, b"mine")
    assert len(both[0].seen) + len(both[1].seen) == 1


@pytest.mark.parametrize("instances", [1, 2])
def test_what_an_instance_cannot_take_is_503_at_once_and_does_not_reach_it(upstream, released, shop, instances):
    """Two threads and one connection for each: what is beyond them is refused while they work."""
    busy = [upstream(lambda seen: released.wait(60) and Answer()) for _ in range(instances)]
    door = shop(*busy, CONNECTIONS_PER_THREAD="1")
    places = 2 * instances
    with ThreadPoolExecutor(places) as pool:
        taken = [pool.submit(door.ask, "/api/shop/x", "POST", body=b"") for _ in range(places)]
        eventually(lambda: sum(len(instance.seen) for instance in busy) == places)
        for _ in range(5):
            refused = door.ask("/api/shop/x", "POST", body=b"")
            assert (refused.status, refused.headers["x-served-by"]) == (503, "gateway")
            assert int(refused.headers["retry-after"]) >= 1
        released.set()
        assert Counter(future.result().status for future in taken) == {200: places}
    assert sum(len(instance.seen) for instance in busy) == places
    assert door.ask("/api/shop/x").status == 200


def test_writes_leave_room_for_reads(upstream, released, tmp_path, discovery, open_door):
    """Two writes hang at the only instance, which may have no more; a third is refused at once, and a read goes on."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET + "writes = 2\n")
    begun = threading.Semaphore(0)

    def answer(seen):
        if seen.method == "POST":
            begun.release()
            released.wait(60)
        return Answer()

    discovery.put("shop", upstream(answer))
    door = open_door(FLEET_FILE=str(file), NGINX_WORKERS="1")
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(door.ask, "/api/shop/x", method="POST") for _ in range(2)]
        for _ in hanging:
            assert begun.acquire(timeout=30)
        refused = door.ask("/api/shop/x", method="POST")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert door.ask("/api/shop/x").status == 200
        released.set()
        assert {done.result().status for done in hanging} == {200}
