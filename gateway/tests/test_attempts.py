"""nginx tells how its instances are, and those that are far worse than their peers are left out."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.testing import Answer, eventually, free_port

FLEET = """
[[service]]
name = "shop"
prefix = "/api/shop"
idempotent = ["/api/shop"]
try_ms = 400
timeout_ms = 20000
"""


class Patient:
    """An instance's way to answer, which can be told to take its time."""

    def __init__(self):
        self.well = threading.Event()
        self.well.set()
        self.delay_s = 60.0

    def __call__(self, _seen):
        self.well.wait(self.delay_s)
        return Answer()


@pytest.fixture
def trio(upstream, tmp_path, discovery, open_door):
    """Three instances behind a gateway: (door, how each answers, the instances)."""
    (tmp_path / "fleet.toml").write_text(FLEET)
    ways = [Patient() for _ in range(3)]
    instances = [upstream(way) for way in ways]
    discovery.put("shop", *instances)

    def open_trio(**environ):
        return open_door(FLEET_FILE=str(tmp_path / "fleet.toml"), **environ), ways, instances

    yield open_trio
    for way in ways:
        way.well.set()


def left_out(door, instance):
    """Whether nginx's configuration is without this instance."""
    return f":{instance.port} " not in (door.home / "run" / "nginx" / "nginx.conf").read_text()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hung_instance_is_left_out_and_no_request_fails(trio, method):
    door, ways, instances = trio()
    before = eventually(door.workers)
    ways[1].well.clear()
    asked = 0

    def out():
        nonlocal asked
        asked += 1
        assert door.ask("/api/shop", method, body=b"x").status == 200
        return left_out(door, instances[1])

    eventually(out)
    assert asked < 60
    eventually(lambda: not before & door.workers())
    with_it = len(instances[1].seen)
    for _ in range(20):
        door.ask("/api/shop", method, body=b"x")
    assert len(instances[1].seen) == with_it


def test_a_slow_instance_is_left_out_although_it_answers_in_time(trio):
    door, ways, instances = trio()
    ways[2].well.clear()
    ways[2].delay_s = 0.2
    eventually(lambda: door.ask("/api/shop").status == 200 and left_out(door, instances[2]))
    assert not left_out(door, instances[0]) and not left_out(door, instances[1])


def test_it_comes_back(trio):
    door, ways, instances = trio(EJECTION_S="1")
    ways[0].well.clear()
    eventually(lambda: door.ask("/api/shop").status == 200 and left_out(door, instances[0]))
    ways[0].well.set()
    eventually(lambda: not left_out(door, instances[0]))
    eventually(lambda: door.served_by("/api/shop") == str(instances[0].port))


def test_when_all_hang_nobody_is_left_out(trio):
    door, ways, instances = trio()
    for way in ways:
        way.well.clear()
        way.delay_s = 0.5
    with ThreadPoolExecutor(4) as pool:
        assert [reply.status for reply in pool.map(lambda _: door.ask("/api/shop"), range(12))] == [200] * 12
    time.sleep(0.3)
    assert not any(left_out(door, instance) for instance in instances)


@pytest.mark.parametrize("ejection_s", ["30", "0"])
def test_when_all_are_slow_a_request_soon_reaches_one_of_them_only(trio, ejection_s):
    door, ways, instances = trio(EJECTION_S=ejection_s)
    from_before = eventually(door.workers)
    for way in ways:
        way.well.clear()
        way.delay_s = 0.6
    with ThreadPoolExecutor(24) as pool:
        assert {reply.status for reply in pool.map(lambda _: door.ask("/api/shop"), range(24))} == {200}
        eventually(lambda: "@shop" not in (door.home / "run" / "nginx" / "nginx.conf").read_text())
        eventually(lambda: not from_before & door.workers())
        before = sum(len(instance.seen) for instance in instances)
        assert {reply.status for reply in pool.map(lambda _: door.ask("/api/shop"), range(24))} == {200}
    assert sum(len(instance.seen) for instance in instances) == before + 24


def test_with_the_others_gone_the_one_that_was_left_out_is_better_than_none(trio, discovery):
    door, ways, instances = trio()
    ways[0].well.clear()
    eventually(lambda: door.ask("/api/shop").status == 200 and left_out(door, instances[0]))
    ways[0].well.set()
    discovery.put("shop", instances[0])
    eventually(lambda: door.served_by("/api/shop") == str(instances[0].port))


def test_it_can_be_switched_off(trio):
    door, ways, instances = trio(EJECTION_S="0", TRY_BUDGET="0", ACCESS_LOG="false")
    ways[0].well.clear()
    for _ in range(30):
        assert door.ask("/api/shop").status == 200
    time.sleep(0.3)
    assert not left_out(door, instances[0])
    assert "access_log off;" in (door.home / "run" / "nginx" / "nginx.conf").read_text()


def test_without_its_port_the_gateway_serves_all_the_same(trio, capsys):
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        door, _, _ = trio(GATEWAY_PORT=str(port))
        assert door.ask("/api/shop").status == 200
    assert "none will be left out" in capsys.readouterr().out
