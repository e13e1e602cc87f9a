import json

import pytest

from deploy.local.errors import Misused, Refused
from deploy.local.fleet import environment, load_fleet
from deploy.local.settings import load
from deploy.local.tests.toys import make_toys


@pytest.fixture
def settings(tmp_path):
    toys = make_toys(tmp_path / "toys")
    return load({"SOUK_HOME": str(tmp_path / "home"), "SERVICES_DIR": str(toys), "REGISTRY_PORT": "8600"})


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(Misused) as refused:
        load({
            "GATEWAY_PORT": "http", "REGISTRY_PORT": "70000", "LIVENESS_S": "-1", "DISCOVERY_URL": "x",
            "REDIS_URL": "redis://:secret@:6379", "EVENTS_URL": "amqp://souk:secret@",
        })  # fmt: skip
    for name in ("GATEWAY_PORT", "REGISTRY_PORT", "LIVENESS_S", "DISCOVERY_URL", "REDIS_URL", "EVENTS_URL"):
        assert name in str(refused.value)
    assert "secret" not in str(refused.value)


def test_one_port_cannot_serve_twice():
    with pytest.raises(Misused, match="the same"):
        load({"GATEWAY_PORT": "9000", "REGISTRY_PORT": "9000"})


def test_settings_survive_the_way_through_the_environment(settings):
    assert load(settings.as_environment()) == settings


def test_the_registry_is_ours_unless_another_one_is_named(settings):
    assert settings.own_registry
    assert "registry" in load_fleet(settings).services
    elsewhere = load({**settings.as_environment(), "DISCOVERY_URL": "consul://127.0.0.1:8601"})
    assert not elsewhere.own_registry
    assert "registry" not in load_fleet(elsewhere).services


def test_event_routes_are_the_subscriptions_turned_around(settings):
    assert load_fleet(settings).event_routes() == {"pear.eaten": ["apples", "pears"], "apple.eaten": ["pears"]}


def test_event_batches_are_turned_around_too(settings):
    fleet = load_fleet(settings)
    assert fleet.event_batches() == {"apple.eaten": ["pears"]}
    assert json.loads(environment(settings, fleet, fleet.get("apples"), {})["EVENT_BATCHES"]) == fleet.event_batches()


def test_every_child_carries_the_marker_and_knows_its_files(settings):
    fleet = load_fleet(settings)
    env = environment(settings, fleet, fleet.get("apples"), {})
    assert env["SOUK_FLEET"] == env["SOUK_HOME"] == str(settings.home)
    assert env["DISCOVERY_URL"] == "consul://127.0.0.1:8600"
    assert json.loads(env["EVENT_ROUTES"])["apple.eaten"] == ["pears"]
    assert env["SERVICE_KEY_FILE"].startswith(str(settings.home))


def test_every_child_is_told_of_the_redis_that_was_named(settings):
    url = "redis://:secret@127.0.0.1:6379/1"
    named = load({**settings.as_environment(), "REDIS_URL": url})
    fleet = load_fleet(named)
    assert environment(named, fleet, fleet.get("apples"), {})["REDIS_URL"] == url
    assert load(named.as_environment()) == named
    assert "REDIS_URL" not in environment(settings, fleet, fleet.get("apples"), {})


def test_what_the_shell_sets_for_other_programs_is_not_handed_on(settings):
    fleet = load_fleet(settings)
    base = {"PORT": "3000", "DATABASE_URL": "postgresql://other", "LANG": "C", "LOG_LEVEL": "debug"}
    env = environment(settings, fleet, fleet.get("apples"), base)
    assert "PORT" not in env
    assert "DATABASE_URL" not in env
    assert env["LOG_LEVEL"] == "debug"


def test_a_setting_can_be_meant_for_one_service(settings):
    fleet = load_fleet(settings)
    base = {"APPLES__THREADS": "3", "APPLES__DATABASE_URL": "sqlite:///a.db"}
    apples = environment(settings, fleet, fleet.get("apples"), base)
    pears = environment(settings, fleet, fleet.get("pears"), base)
    assert (apples["THREADS"], apples["DATABASE_URL"]) == ("3", "sqlite:///a.db")
    assert pears["THREADS"] == "8"
    assert not any("__" in key for key in pears)


def test_an_unknown_service_is_refused_with_the_list_of_those_there_are(settings):
    with pytest.raises(Misused, match="registry, gateway, apples, pears"):
        load_fleet(settings).get("nuts")


def test_a_fleet_that_cannot_be_read_is_one_clear_line(settings):
    settings.fleet_file.write_text("[[service]]\nkind = 1\n")
    with pytest.raises(Refused, match=r"cannot read the fleet from .*fleet\.toml"):
        load_fleet(settings)
