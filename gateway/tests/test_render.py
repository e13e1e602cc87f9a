"""The text of nginx.conf. After a wanted change write the golden files anew: `UPDATE_GOLDEN=1 pytest gateway`."""

import os
import re
from pathlib import Path

import pytest

from gateway.fleet import FleetError, Route, read_fleet
from gateway.render import BALANCING, Live, Server, render
from gateway.settings import DEFAULT_FLEET, Settings, SettingsError, load

GOLDEN = Path(__file__).parent / "golden"
ROUTES = (
    Route("catalog", "/api/catalog"),
    Route("orders", "/api/orders", 4000, ("/api/orders", "/api/orders/{id}/cancellation"), writes=16),
    Route("storefront", "/", 10_000),
)
THREE = (Server("10.0.0.3", 80, 5), Server("10.0.0.1", 80), Server("fd00::2", 8080))
CASES = {
    "empty": (Live(), Settings()),
    "busy": (
        Live({"catalog": THREE, "orders": THREE[:2]}, {"catalog": "consistent_hash", "orders": "least_conn"}, 30),
        Settings(user="souk souk", host="::", port=80, rate_limits={"/": 50, "/api/orders": 0.5}, workers=4),
    ),
    "bare": (
        Live({"storefront": THREE}, {"storefront": "ip_hash"}, 0),
        Settings(access_log=False, upstream_keepalive_s=0, rate_limits={}, rate_limit_loopback=True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_golden_one(name):
    live, settings = CASES[name]
    text = render(ROUTES, live, settings)
    file = GOLDEN / f"{name}.conf"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_the_order_of_instances_and_a_doubled_address_do_not_change_the_text():
    one = render(ROUTES, Live({"orders": THREE}), Settings())
    other = render(ROUTES, Live({"orders": (*reversed(THREE), THREE[0])}), Settings())
    assert one == other


def test_an_instance_has_the_places_for_its_own_threads_and_else_for_those_of_the_fleet():
    servers = (Server("10.0.0.1", 80, threads=2), Server("10.0.0.2", 80))
    text = render(ROUTES, Live({"catalog": servers, "orders": servers}), Settings(connections_per_thread=3))
    places = re.findall(r"server (\S+):80 .*max_conns=(\d+);", text)
    reads, writes = [("10.0.0.1", "6"), ("10.0.0.2", "24")], [("10.0.0.1", "16"), ("10.0.0.2", "16")]
    assert places == [*reads, *reads, *writes]


@pytest.mark.parametrize("strategy", BALANCING)
def test_each_strategy_is_in_the_upstream_of_its_service_only(strategy):
    text = render(ROUTES, Live({"orders": THREE}, {"orders": strategy}), Settings())
    upstreams = dict(re.findall(r"upstream souk_(\w+) \{(.*?)\n    \}", text, re.DOTALL))
    directives = [value for value in BALANCING.values() if value]
    found = [value for value in directives if f"        {value};" in upstreams["orders"]]
    assert found == [BALANCING[strategy]] * bool(BALANCING[strategy])
    assert not any(f"        {value};" in upstreams["catalog"] for value in directives)


def test_every_service_with_a_prefix_in_the_real_fleet_has_a_location():
    routes = read_fleet(DEFAULT_FLEET)
    text = render(routes, Live(), Settings())
    assert {"catalog", "orders", "storefront"} <= {route.service for route in routes}
    for route in routes:
        assert f"location {route.prefix.rstrip('/')}/ {{" in text
    assert "bank" not in text


@pytest.mark.parametrize("text", ["[[service]", "[[service]]\nprefix = '/x'", "x = 1", "service = 3"])
def test_a_broken_fleet_file_is_refused(tmp_path, text):
    (tmp_path / "fleet.toml").write_text(text)
    with pytest.raises(FleetError):
        read_fleet(tmp_path / "fleet.toml")


def test_two_services_with_one_prefix_are_refused(tmp_path):
    (tmp_path / "fleet.toml").write_text("".join(f"[[service]]\nname='{name}'\nprefix='/x'\n" for name in "ab"))
    with pytest.raises(FleetError, match="/x"):
        read_fleet(tmp_path / "fleet.toml")


def test_all_wrong_settings_are_named_at_once():
    wrong = {
        "GATEWAY_PORT": "0", "GATEWAY_HOST": "a b;", "NGINX_WORKERS": "two", "NGINX_BIN": "no-such-nginx",
        "RATE_LIMITS": '{"orders": 1}', "CACHE_SECONDS": "-1", "RATE_LIMIT_LOOPBACK": "perhaps",
        "FLEET_FILE": "/nowhere.toml", "CACHED_ROUTES": "/a;b",
    }  # fmt: skip
    with pytest.raises(SettingsError) as raised:
        load(wrong)
    assert len(str(raised.value).splitlines()) == len(wrong)
    for name in wrong:
        assert name in str(raised.value)


def test_without_an_environment_the_defaults_hold():
    settings = load({})
    assert (settings.host, settings.port, settings.cache_seconds) == ("127.0.0.1", 8080, 2)
    assert settings.nginx_bin.endswith("nginx")
