"""The manifests agree with services/fleet.toml and with what the services' settings know."""

import importlib
import json
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection
from sqlalchemy.pool import QueuePool

from chassis.broker_topology import declare
from chassis.dns_discovery import CEILING_S
from chassis.engines import make_engine
from chassis.settings import ChassisSettings
from chassis.testing import eventually
from chassis.testing_rabbitmq import on_rabbitmq, virtual_host
from chassis.web import make_app
from gateway import settings as gateway_settings

PORT = 8000
COREDNS_CACHE_S = 30


def services(fleet):
    return [name for name in fleet.services if name != "gateway"]


def keeping(fleet):
    """The services with a database."""
    return {name for name, service in fleet.services.items() if service.database}


def told(objects):
    """The environment that all services share."""
    (config,) = [one for name, one in objects.of("ConfigMap").items() if name.startswith("souk-")]
    return config["data"]


def main_container(objects, name):
    (container,) = objects.of("Deployment")[name]["spec"]["template"]["spec"]["containers"]
    return container


def variables(container):
    return {one["name"]: one.get("value", "from elsewhere") for one in container["env"]}


def settings_class(service):
    return importlib.import_module(f"{service}.settings").Settings


def test_everything_of_the_fleet_but_the_registry_runs(objects, fleet):
    assert set(objects.of("Deployment")) == set(fleet.services)


def test_each_runs_its_own_program_from_its_own_image(objects, fleet):
    for name in services(fleet):
        container = main_container(objects, name)
        assert container["command"] == ["python", "-m", name, "serve"]
        assert container["image"].rpartition("/")[2].partition(":")[0] == name
    assert main_container(objects, "gateway")["command"] == ["python", "-m", "gateway"]


def test_each_service_has_the_name_and_the_port_by_which_dns_finds_it(objects, fleet):
    url = urlsplit(told(objects)["DISCOVERY_URL"])
    assert (url.scheme, url.hostname, url.port) == ("dns", "souk.svc.cluster.local", PORT)
    assert told(objects)["PORT"] == str(PORT)
    for name in services(fleet):
        service = objects.of("Service")[name]["spec"]
        assert service["clusterIP"] == "None"
        assert service["ports"] == [{"name": "http", "port": PORT, "targetPort": "http"}]
        assert main_container(objects, name)["ports"] == [{"name": "http", "containerPort": PORT}]
    assert {one["metadata"].get("namespace", "souk") for one in objects} == {"souk"}


def test_the_gateway_listens_where_its_service_leads(objects):
    (port,) = objects.of("Service")["gateway"]["spec"]["ports"]
    container = main_container(objects, "gateway")
    assert port["targetPort"] == "http"
    assert variables(container)["GATEWAY_PORT"] == str(container["ports"][0]["containerPort"])


def test_replicas_begin_with_what_the_fleet_says(base, fleet):
    scalers = base.of("HorizontalPodAutoscaler")
    assert set(scalers) == {name for name, service in fleet.services.items() if not service.single}
    for name, scaler in scalers.items():
        assert scaler["spec"]["minReplicas"] == fleet.services[name].replicas
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert "replicas" not in base.of("Deployment")[name]["spec"]  # the scaler's would be overwritten
    for name in set(fleet.services) - set(scalers):
        assert base.of("Deployment")[name]["spec"]["replicas"] == 1


def test_in_production_only_the_bank_is_alone(production, fleet):
    for name in fleet.services:
        scaler = production.of("HorizontalPodAutoscaler").get(name)
        least = scaler["spec"]["minReplicas"] if scaler else production.of("Deployment")[name]["spec"]["replicas"]
        assert (least >= 2) == (name != "bank")


def test_threads_are_those_of_the_fleet(objects, fleet):
    for name in services(fleet):
        default = settings_class(name).model_fields["threads"].default
        assert int(variables(main_container(objects, name)).get("THREADS", default)) == fleet.services[name].threads


def test_every_variable_is_a_setting_and_every_value_is_accepted(objects, fleet, tmp_path):
    key = tmp_path / "storefront.key"
    key.write_text("k" * 32)
    for name in services(fleet):
        settings = settings_class(name)
        environ = told(objects) | variables(main_container(objects, name))
        environ.update({"EVENTS_URL": "amqp://broker"} if "EVENTS_URL" in environ else {})
        assert {variable.lower() for variable in environ} <= set(settings.model_fields), name
        settings.load(environ | ({"SESSION_KEY_FILE": str(key)} if name == "storefront" else {}))


def test_every_variable_of_the_gateway_is_one_of_its_settings(objects, tmp_path):
    class Asked(dict):
        names = set()

        def get(self, name, default=None):
            self.names.add(name)
            return super().get(name, default)

    given = variables(main_container(objects, "gateway"))
    gateway_settings.load(Asked(given | {"SOUK_HOME": str(tmp_path)}))
    assert set(given) <= Asked.names


def test_events_go_where_the_fleet_says(objects, fleet):
    assert json.loads(told(objects)["EVENT_ROUTES"]) == fleet.event_routes()
    assert json.loads(told(objects)["EVENT_BATCHES"]) == fleet.event_batches()


PROBES = [("startup", "/healthz"), ("readiness", "/readyz"), ("liveness", "/healthz")]


@pytest.mark.parametrize(("probe", "path"), PROBES)
def test_probes_ask_what_every_service_answers(objects, fleet, probe, path):
    class Settings(ChassisSettings):
        service = "any"

    assert make_app(Settings()).test_client().get(path).status_code == 200
    for name in services(fleet):
        assert main_container(objects, name)[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "http"}


def test_who_ends_has_the_time_that_it_needs(objects, fleet):
    drain_s = float(told(objects)["DRAIN_S"])
    assert drain_s > COREDNS_CACHE_S + CEILING_S  # until the last neighbour has heard of it
    for name in services(fleet):
        graceful_s = ChassisSettings.model_fields["graceful_timeout_s"].default
        pod = objects.of("Deployment")[name]["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > drain_s + graceful_s
    pod = objects.of("Deployment")["gateway"]["spec"]["template"]["spec"]
    sleep_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > sleep_s + gateway_settings.Settings.stop_s


def test_who_has_a_database_migrates_it_and_waits_for_that(objects, fleet):
    assert set(objects.of("Job")) == keeping(fleet)
    for name in services(fleet):
        pod = objects.of("Deployment")[name]["spec"]["template"]["spec"]
        waiting = [container["command"] for container in pod.get("initContainers", [])]
        assert waiting == ([["python", "-m", name, "wait"]] if name in keeping(fleet) else [])
    for name, job in objects.of("Job").items():
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert [*container["command"], container["args"][0]] == ["python", "-m", name, "migrate"]
        assert container["image"] == main_container(objects, name)["image"]


def test_only_the_local_overlay_seeds(local, production):
    def arguments(objects):
        return [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in objects.of("Job").values()]

    assert all(args == ["migrate", "seed"] for args in arguments(local))
    assert all(args == ["migrate"] for args in arguments(production))


def test_each_is_given_its_own_database_and_nobody_elses(objects, fleet):
    for where, labels, pod in objects.pods():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            for one in container.get("env", []):
                if one["name"] == "DATABASE_URL":
                    assert one["valueFrom"]["secretKeyRef"] == {"name": f"{labels['app']}-database", "key": "url"}
                    assert labels["app"] in keeping(fleet), where


def test_the_operator_makes_a_role_and_a_database_for_each(production, fleet):
    roles = production.of("Cluster")["postgres"]["spec"]["managed"]["roles"]
    assert {(role["name"], role["passwordSecret"]["name"]) for role in roles} == {
        (name, f"{name}-database") for name in keeping(fleet)
    }
    databases = [one["spec"] for one in production.of("Database").values()]
    assert {(one["name"], one["owner"], one["cluster"]["name"]) for one in databases} == {
        (name, name, "postgres") for name in keeping(fleet)
    }


def test_in_production_events_go_by_rabbitmq_each_service_with_its_own_user(local, production, fleet):
    with_events = keeping(fleet) - {"bank"}
    for name in services(fleet):
        (given,) = [one for one in main_container(production, name)["env"] if one["name"] == "EVENTS_URL"] or [None]
        expected = {"valueFrom": {"secretKeyRef": {"name": f"{name}-events", "key": "url"}}}
        assert given == (expected | {"name": "EVENTS_URL"} if name in with_events else None)
        assert "EVENTS_URL" not in variables(main_container(local, name))
    for kind in ("User", "Permission"):
        assert set(production.of(kind)) == with_events
    assert {one["spec"]["userReference"]["name"] for one in production.of("Permission").values()} == with_events


@on_rabbitmq
def test_what_the_users_may_is_enough_and_keeps_them_from_others_queues(production, rabbitmq):
    with virtual_host(rabbitmq) as url:
        vhost = urlsplit(url).path[1:]
        for name in ("orders", "inventory"):
            rabbitmq.api("PUT", f"users/{name}", password="open", tags="")
            rights = production.of("Permission")[name]["spec"]["permissions"]
            rabbitmq.api("PUT", f"permissions/{vhost}/{name}", **rights)
        with Connection(as_user(url, "orders")) as orders, Connection(as_user(url, "inventory")) as inventory:
            declare(orders.channel(), ["orders", "inventory"])  # the second it may not, and does without
            declare(inventory.channel(), ["orders", "inventory"])
            orders.Producer().publish(
                "{}", exchange="souk.events", routing_key="inventory", serializer=None, content_type="a/b",
                content_encoding="utf-8", user_id="orders",
            )  # fmt: skip
            eventually(lambda: inventory.default_channel.basic_get("souk.inventory"))
            assert orders.default_channel.basic_get("souk.orders") is None
            for queue in ("souk.inventory", "souk.inventory.dead"):
                for attempt in ("basic_get", "queue_delete"):
                    with pytest.raises(AccessRefused):
                        getattr(orders.channel(), attempt)(queue)


@on_rabbitmq
def test_a_message_over_which_its_consumers_die_goes_to_the_dead_letters(production, rabbitmq):
    """With quorum queues and the policies of the manifests, though for fewer deaths."""
    with virtual_host(rabbitmq, defaultqueuetype="quorum") as url:
        vhost = urlsplit(url).path[1:]
        for name, policy in production.of("Policy").items():
            spec = policy["spec"]
            definition = spec["definition"] | {"delivery-limit": min(3, spec["definition"]["delivery-limit"])}
            body = {"pattern": spec["pattern"], "apply-to": spec["applyTo"], "definition": definition}
            rabbitmq.api("PUT", f"policies/{vhost}/{name}", **body)
        with Connection(url) as connection:
            declare(connection.channel(), ["orders"])
            assert rabbitmq.api("GET", f"queues/{vhost}/souk.orders")["type"] == "quorum"
            connection.Producer().publish("{}", exchange="souk.events", routing_key="orders", serializer=None,
                                          content_type="a/b", content_encoding="utf-8")  # fmt: skip

            def take(queue):
                channel = connection.channel()
                message = channel.basic_get(queue)
                channel.close()  # as when its consumer dies: it is given back
                return message

            eventually(lambda: take("souk.orders") is None and take("souk.orders.dead"))


def as_user(url, name):
    parts = urlsplit(url)
    return parts._replace(netloc=f"{name}:open@{parts.hostname}:{parts.port}").geturl()


def most_connections(objects, fleet):
    """With as many replicas as there can be, and one more of each during a roll-out."""
    pool = make_engine("postgresql://nobody@localhost/nothing").pool
    assert isinstance(pool, QueuePool)
    scalers = objects.of("HorizontalPodAutoscaler")
    most = [scalers[name]["spec"]["maxReplicas"] if name in scalers else 1 for name in keeping(fleet)]
    return sum(replicas + 1 for replicas in most) * (pool.size() + pool._max_overflow)


def test_the_database_takes_the_connections_of_all_replicas(local, production, fleet):
    (server,) = local.of("StatefulSet")["postgres"]["spec"]["template"]["spec"]["containers"]
    assert int(server["args"][1].removeprefix("max_connections=")) > most_connections(local, fleet)
    cluster = production.of("Cluster")["postgres"]["spec"]
    assert int(cluster["postgresql"]["parameters"]["max_connections"]) > most_connections(production, fleet)


def test_images_come_from_where_images_yaml_says_or_from_nowhere(local, production):
    for _, _, pod in production.pods():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["image"].startswith("registry.example.com/souk/")
            assert container["image"].endswith(":0.1.0")
    for where, _, pod in local.pods():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            if where != "StatefulSet postgres":
                assert container["imagePullPolicy"] == "Never", where
