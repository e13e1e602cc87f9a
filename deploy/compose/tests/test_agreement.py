"""docker-compose.yml agrees with services/fleet.toml, with the services' settings and with their Dockerfile."""

import importlib
import json
import re

from sqlalchemy.pool import QueuePool

from chassis.engines import make_engine
from chassis.settings import ChassisSettings
from deploy.compose import make_secrets
from deploy.compose.commands import PROJECT
from gateway import settings as gateway_settings

ONCE = {"secrets", "databases"}
SERVERS = {"postgres", "rabbitmq", "redis", "consul"}
REGISTRIES = {"registry": ["registry"], "consul": ["consul"]}
SECRETS = "/run/secrets"


def served(compose, fleet):
    """(service, what compose says of it) of those that the chassis serves."""
    return [
        (one, compose["services"][name]) for name, one in fleet.services.items() if name not in ("registry", "gateway")
    ]


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def test_everything_of_the_fleet_runs_and_nothing_else_but_servers_and_preparations(compose, fleet):
    migrations = {f"{name}-migrate" for name, one in fleet.services.items() if one.database}
    assert set(compose["services"]) == {*fleet.services, *migrations, *ONCE, *SERVERS}


def test_each_has_the_threads_of_the_fleet(compose, fleet):
    assert {one.name: one.threads for one, _ in served(compose, fleet)} == {
        one.name: said["environment"]["THREADS"] for one, said in served(compose, fleet)
    }


def test_each_is_built_from_the_one_dockerfile_with_its_own_name(compose, fleet):
    for one, said in [*served(compose, fleet), (fleet.services["registry"], compose["services"]["registry"])]:
        assert said["build"]["dockerfile"] == "services/Dockerfile"
        assert said["build"]["args"]["SERVICE"] == one.name
        assert said["image"] == f"souk/{one.name}"


def test_events_go_to_those_who_consume_them(compose, fleet):
    routes = json.loads(compose["x-environment"]["EVENT_ROUTES"])
    assert {event: set(to) for event, to in routes.items()} == {
        event: set(to) for event, to in fleet.event_routes().items()
    }


def test_every_variable_is_a_setting(compose, fleet):
    for one, said in served(compose, fleet):
        known = {name.upper() for name in importlib.import_module(f"{one.name}.settings").Settings.model_fields}
        assert {
            name for name in said["environment"] if name not in known and name.removesuffix("_FILE") not in known
        } == set()
    known = (PROJECT / "gateway" / "settings.py").read_text()
    assert all(f'"{name}"' in known for name in compose["services"]["gateway"]["environment"])


def test_who_keeps_something_is_told_where_and_migrates_first(compose, fleet):
    for one, said in served(compose, fleet):
        assert ("DATABASE_URL_FILE" in said["environment"]) == one.database
        migrated = said["depends_on"].get(f"{one.name}-migrate")
        assert migrated == ({"condition": "service_completed_successfully"} if one.database else None)


def test_migrations_run_once_from_the_services_own_image_on_databases_that_are_there(compose, fleet):
    for one, said in served(compose, fleet):
        if not one.database:
            continue
        migration = compose["services"][f"{one.name}-migrate"]
        assert migration["image"] == said["image"]
        assert migration["restart"] == "no"
        assert migration["depends_on"] == {"databases": {"condition": "service_completed_successfully"}}


def test_the_secrets_that_files_name_are_made_and_each_sees_only_its_own(compose, tmp_path):
    make_secrets.make_secrets(tmp_path)
    makers = {volume.split(":")[1] for volume in compose["services"]["secrets"]["volumes"]}
    assert makers == {f"/secrets/{folder.name}" for folder in tmp_path.iterdir()}
    for name, said in compose["services"].items():
        environment = said.get("environment") or {}
        files = [value for value in environment.values() if str(value).startswith(f"{SECRETS}/")]
        mounted = [volume for volume in said.get("volumes", []) if f":{SECRETS}" in volume]
        owner = {"databases": "postgres"}.get(name, name.removesuffix("-migrate"))
        expected = files or name in ("databases", "rabbitmq", "redis")
        assert mounted == ([f"secrets-{owner}:{SECRETS}:ro"] if expected else [])
        assert all((tmp_path / owner / file.removeprefix(f"{SECRETS}/")).is_file() for file in files)


def test_the_grace_periods_are_longer_than_an_orderly_end_takes(compose, fleet):
    longest = (
        ChassisSettings.model_fields["drain_s"].default + ChassisSettings.model_fields["graceful_timeout_s"].default
    )
    for _, said in served(compose, fleet):
        assert seconds(said["stop_grace_period"]) > longest
    assert seconds(compose["services"]["gateway"]["stop_grace_period"]) > gateway_settings.Settings.stop_s


def test_nothing_is_root_or_writes_where_it_is_not_said_or_takes_more_than_its_share(compose):
    for name, said in compose["services"].items():
        assert said["read_only"], name
        assert said["cap_drop"] == ["ALL"], name
        assert said["security_opt"] == ["no-new-privileges:true"], name
        assert said["mem_limit"], name
        assert said["cpus"], name
        assert "build" in said or "-migrate" in name or said["user"] != "root", name
        assert not said.get("privileged"), name
    for dockerfile in ("services/Dockerfile", "gateway/Dockerfile", "deploy/compose/Dockerfile"):
        users = [
            line.split()[1] for line in (PROJECT / dockerfile).read_text().splitlines() if line.startswith("USER ")
        ]
        assert users[-1:] == ["10001:10001"]


def test_only_the_gateway_and_the_registry_are_reached_from_outside_and_only_from_this_machine(compose):
    published = {name: said["ports"] for name, said in compose["services"].items() if "ports" in said}
    registry = ["127.0.0.1:8500:8500"]
    assert published == {"gateway": ["127.0.0.1:8080:8080"], "registry": registry, "consul": registry}
    outside = {name for name, said in compose["services"].items() if "edge" in said.get("networks", [])}
    assert outside == set(published)
    assert {name for name, network in compose["networks"].items() if not network.get("internal")} == {"edge"}


def test_only_who_sends_or_receives_events_can_reach_the_broker(compose, fleet):
    rows = [
        line.split("|")
        for line in (PROJECT / "services" / "README.md").read_text().splitlines()
        if "README.md)" in line
    ]
    emitters = {re.search(r"\[(\w+)\]", row[1])[1] for row in rows if len(row) > 4 and row[4].strip()}
    assert "orders" in emitters
    assert "storefront" not in emitters
    eventful = {name for name, one in fleet.services.items() if one.consumes or name in emitters}
    on_events = {name for name, said in compose["services"].items() if "events" in said.get("networks", [])}
    assert on_events == eventful | {"rabbitmq"}
    assert compose["services"]["rabbitmq"]["networks"] == ["events"]
    for one, said in served(compose, fleet):
        assert ("EVENTS_URL_FILE" in said["environment"]) == (one.name in eventful)


def test_of_the_two_registries_one_runs_and_both_have_the_name_that_is_asked(compose):
    profiles = {name: said["profiles"] for name, said in compose["services"].items() if "profiles" in said}
    assert profiles == REGISTRIES
    assert "COMPOSE_PROFILES=registry" in (PROJECT / ".env").read_text().splitlines()
    assert compose["services"]["consul"]["networks"]["internal"] == {"aliases": ["registry"]}
    for said in compose["services"].values():
        asked = said.get("depends_on", {}).keys() & REGISTRIES
        assert asked in (set(), set(REGISTRIES))
        assert all(said["depends_on"][name] == {"condition": "service_healthy", "required": False} for name in asked)


def test_the_database_takes_all_connections_of_two_replicas_of_each(compose, fleet):
    pool = make_engine("postgresql://nobody@localhost/nothing").pool
    assert isinstance(pool, QueuePool)
    keeping = len([one for one in fleet.services.values() if one.database])
    (most,) = re.findall(r"max_connections=(\d+)", compose["services"]["postgres"]["command"])
    assert int(most) > 2 * keeping * (pool.size() + pool._max_overflow)


def test_any_service_can_be_scaled(compose):
    published = {"gateway", *REGISTRIES}
    assert not [name for name, said in compose["services"].items() if "container_name" in said]
    assert not [name for name, said in compose["services"].items() if "ports" in said and name not in published]
