"""A registry that answers nonsense: the gateway goes on with the last good list, says so once, and recovers."""

import json
import logging

import pytest

from chassis.discovery import make_discovery
from chassis.tests.fake_servers import FakeRegistry, row
from gateway.testing import eventually, open_gateway

INDEX = {"X-Consul-Index": "99"}
NONSENSE = {
    "a page of HTML": (200, INDEX, b"<html>It works!</html>"),
    "errors": (500, {}, b"No cluster leader"),
    "no index": (200, {}, b"[]"),
    "another shape": (200, INDEX, b'[{"Service": 1}]'),
    "half of it": (200, INDEX, b'[{"Node":'),
    "closed connections": None,
}


@pytest.fixture
def registry():
    fake = FakeRegistry()
    yield fake
    fake.stop()


def listed(upstream, **fields):
    return row(f"orders-{upstream.port}", port=upstream.port, Address="127.0.0.1", **fields)


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_the_last_good_list_stays_in_use(registry, upstream, tmp_path, answer, caplog):
    caplog.set_level(logging.WARNING)
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[service]]\nname = "orders"\nprefix = "/api/orders"\n')
    first, second = upstream(), upstream()
    registry.set(listed(first))
    right, asked = registry._server.handle, []
    discovery = make_discovery(registry.url)
    with open_gateway(tmp_path, discovery, FLEET_FILE=str(fleet)) as door:
        assert door.ask("/api/orders/1").status == 200
        registry._server.handle = lambda *_: asked.append(1) or answer
        registry._server.cut()
        eventually(lambda: len(asked) >= 6)
        assert {door.served_by("/api/orders/1") for _ in range(10)} == {str(first.port)}
        registry._server.handle = right
        registry.set(listed(first), listed(second))
        eventually(lambda: door.served_by("/api/orders/1") == str(second.port))
        known = json.loads((tmp_path / "run" / "nginx" / "known.json").read_text())
        assert len(known["servers"]["orders"]) == 2
    discovery.close()
    said = [record.message for record in caplog.records if "does not answer for /v1/health" in record.message]
    assert len(said) == 1


def test_an_instance_that_says_how_many_threads_it_has_is_believed_if_that_can_be(registry, upstream, tmp_path):
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[service]]\nname = "orders"\nprefix = "/api/orders"\nthreads = 8\n')
    said = {"3": 6, "0": 16, "-1": 16, "many": 16, "1; }": 16, "99999": 2000, 4: 8}
    instances = [upstream() for _ in said]
    rows = [listed(one, Meta={"threads": threads}) for one, threads in zip(instances, said, strict=True)]
    registry.set(*rows)
    discovery = make_discovery(registry.url)
    with open_gateway(tmp_path, discovery, FLEET_FILE=str(fleet)):
        text = (tmp_path / "run" / "nginx" / "nginx.conf").read_text()
        for one, places in zip(instances, said.values(), strict=True):
            assert f":{one.port} weight=1 max_fails=0 max_conns={places};" in text
    discovery.close()


def test_an_instance_that_cannot_be_is_left_out_and_the_others_serve(registry, upstream, tmp_path):
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[service]]\nname = "orders"\nprefix = "/api/orders"\n')
    good = upstream()
    strange = [{"port": 99999}, {"port": 0}, {"Address": "1.2.3.4;}"}, {"Address": "a b\n"}, {"Address": "x" * 300}]
    rows = [row(f"strange-{number}", **fields) for number, fields in enumerate(strange)]
    registry.set(*rows, listed(good))
    discovery = make_discovery(registry.url)
    with open_gateway(tmp_path, discovery, FLEET_FILE=str(fleet)) as door:
        assert {door.served_by("/api/orders/1") for _ in range(10)} == {str(good.port)}
    discovery.close()
