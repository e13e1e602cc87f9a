"""Changes that come into force, and those that must not."""

import http.client
import json
import threading

import pytest

from gateway import main
from gateway.testing import ScriptedDiscovery, eventually, open_gateway, read_reply


def test_a_burst_of_twenty_registrations_is_one_reload(upstream, discovery, open_door):
    instances = [upstream() for _ in range(20)]
    door = open_door(RELOAD_WINDOW_MS="1000")
    with door.reload():
        for count in range(1, 21):
            discovery.put("orders", *instances[:count])
    asked = {door.served_by("/api/orders/1") for _ in range(60)}
    assert len(asked) == 20
    assert door.notes["reloads"] == 1


def test_what_changes_nothing_reloads_nothing(upstream, discovery, open_door):
    one, two = upstream(), upstream()
    discovery.put("orders", one, two)
    door = open_door(RELOAD_WINDOW_MS="0")
    discovery.put("orders", two, one)
    discovery.put("bank", one)
    discovery.put_pairs(cache="on")
    with door.reload():
        discovery.put("carts", one)
    assert door.notes["reloads"] == 1


def test_a_configuration_that_nginx_rejects_is_kept_aside_and_the_last_good_one_stays(upstream, discovery, open_door):
    discovery.put("orders", upstream())
    door = open_door()
    assert door.gateway.configuration.apply("http { nonsense }") is False
    folder = door.home / "run" / "nginx"
    assert (folder / "nginx.conf.rejected").read_text() == "http { nonsense }"
    assert "upstream souk_orders" in (folder / "nginx.conf").read_text()
    assert (door.notes["reloads"], door.notes["rejected"]) == (0, 1)
    assert door.ask("/api/orders/1").status == 200
    with door.reload():
        discovery.put("carts", upstream())
    assert door.ask("/api/carts/1").status == 200


@pytest.mark.parametrize("address", ["127.0.0.1; } evil {", "no such host", ""])
def test_an_address_that_is_none_does_not_reach_the_configuration(upstream, discovery, open_door, address):
    good = upstream()
    door = open_door()
    bad = good.instance("orders")
    object.__setattr__(bad, "address", address)
    discovery.listeners["orders"]([bad, good.instance("orders")])
    eventually(lambda: door.ask("/api/orders/1").status == 200)
    assert door.notes["rejected"] == 0
    assert address == "" or address not in (door.home / "run" / "nginx" / "nginx.conf").read_text()


def test_with_the_registry_away_a_new_gateway_goes_on_with_what_the_last_one_knew(
    upstream, discovery, tmp_path, monkeypatch
):
    monkeypatch.setattr(main, "FIRST_ANSWERS_S", 0.05)
    instance = upstream()
    with open_gateway(tmp_path, ScriptedDiscovery(silent=True)) as door:
        assert door.ask("/api/orders/1").status == 503
    discovery.put("orders", instance)
    discovery.put_pairs(cache="7")
    with open_gateway(tmp_path, discovery) as door:
        assert door.ask("/api/orders/1").status == 200
    with open_gateway(tmp_path, ScriptedDiscovery(silent=True)) as door:
        assert door.served_by("/api/orders/1") == str(instance.port)
    assert "proxy_cache_valid 200 7s;" in (tmp_path / "run" / "nginx" / "nginx.conf").read_text()


def test_a_damaged_memory_is_no_reason_not_to_start(upstream, discovery, tmp_path):
    (tmp_path / "run" / "nginx").mkdir(parents=True)
    (tmp_path / "run" / "nginx" / "known.json").write_text(json.dumps({"servers": {"orders": [["x"]]}, "pairs": 3}))
    discovery.put("orders", upstream())
    with open_gateway(tmp_path, discovery) as door:
        assert door.ask("/api/orders/1").status == 200


def test_reloads_lose_no_request(upstream, discovery, open_door):
    """New connections never fail. A kept one may be closed between two requests, as HTTP allows: ask again."""
    one, two = upstream(), upstream()
    discovery.put("orders", one, two)
    door = open_door(RELOAD_WINDOW_MS="0")
    ended = threading.Event()
    wrong: list[object] = []

    def fresh():
        while not ended.is_set():
            try:
                reply = door.ask("/api/orders", "POST", body=b"1")
            except OSError as error:
                wrong.append(error)
            else:
                wrong.extend([reply] * (reply.status != 200))

    def kept():
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
        while not ended.is_set():
            for attempt in (1, 2):
                try:
                    connection.request("GET", "/api/orders/1")
                    reply = read_reply(connection)
                except OSError as error:
                    connection.close()
                    wrong.extend([error] * (attempt == 2))
                else:
                    wrong.extend([reply] * (reply.status != 200))
                    break
        connection.close()

    threads = [threading.Thread(target=client) for client in (fresh, kept)]
    for thread in threads:
        thread.start()
    for number in range(10):
        with door.reload():
            discovery.put("orders", *((one,), (one, two))[number % 2])
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert door.notes["reloads"] == 10
    assert len(one.seen) + len(two.seen) > 50
