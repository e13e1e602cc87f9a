"""The Secrets that the one command makes are those that the manifests refer to; the local database uses them."""

import json
import os
import shutil
import subprocess
import sys

import kubernetes_validate
import psycopg
import pytest

from chassis.settings import ChassisSettings
from deploy.checks.kubernetes import FOLDER, VERSION
from deploy.local.home import SEED_USERS


def made(overlay):
    """Name -> Secret, as the command prints them."""
    command = [sys.executable, "-m", "deploy.kubernetes.make_secrets", overlay]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {one["metadata"]["name"]: one for one in json.loads(output)["items"]}


def referred(objects):
    """(Secret, key) that the manifests name; the key is None where all of it is mounted."""
    for _, _, pod in objects.pods():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            for one in container.get("env", []):
                if reference := one.get("valueFrom", {}).get("secretKeyRef"):
                    yield reference["name"], reference["key"]
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                yield volume["secret"]["secretName"], None
            for source in volume.get("projected", {}).get("sources", []):
                yield source["secret"]["name"], None
    for cluster in objects.of("Cluster").values():
        for role in cluster["spec"]["managed"]["roles"]:
            yield role["passwordSecret"]["name"], "password"
    for user in objects.of("User").values():
        yield from ((user["spec"]["importCredentialsSecret"]["name"], key) for key in ("username", "password"))


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_all_that_are_referred_to_are_made_and_no_others(overlay, request):
    objects, secrets = request.getfixturevalue(overlay), made(overlay)
    found = list(referred(objects))
    assert {name for name, _ in found} == set(secrets)
    assert all(key in secrets[name]["stringData"] for name, key in found if key)
    for secret in secrets.values():
        kubernetes_validate.validate(secret, VERSION, strict=True)


def test_each_is_made_anew():
    first, second = made("production"), made("production")
    assert all(first[name]["stringData"] != second[name]["stringData"] for name in first)


def test_what_is_mounted_has_the_names_that_the_settings_say(local):
    secrets = made("local")
    environ = next(one["data"] for name, one in local.of("ConfigMap").items() if name.startswith("souk-"))
    assert environ["SERVICE_KEY_FILE"].rpartition("/")[2] in secrets["service-keys"]["stringData"]
    (shop,) = local.of("Deployment")["storefront"]["spec"]["template"]["spec"]["containers"]
    (key,) = [one["value"] for one in shop["env"] if one["name"] == "SESSION_KEY_FILE"]
    assert key.rpartition("/")[2] in secrets["storefront-keys"]["stringData"]
    assert set(json.loads(secrets["seed-passwords"]["stringData"]["passwords.json"])) == set(SEED_USERS)


def test_urls_lead_to_the_database_that_there_is(local, production):
    secret = made("local")["orders-database"]["stringData"]
    assert secret["url"] == f"postgresql://orders:{secret['password']}@postgres-rw:5432/orders"
    assert "postgres-rw" in local.of("Service")
    assert "postgres" in production.of("Cluster")  # whose operator makes the Service postgres-rw


def test_urls_lead_to_the_broker_that_there_is(production):
    secret = made("production")["orders-events"]["stringData"]
    assert secret["url"] == f"amqp://orders:{secret['password']}@rabbitmq:5672/souk"
    ChassisSettings(events_url=secret["url"])
    assert "rabbitmq" in production.of("RabbitmqCluster")  # whose operator makes the Service rabbitmq
    assert production.of("Vhost")["souk"]["spec"]["name"] == "souk"


def test_the_command_knows_its_overlays():
    command = [sys.executable, "-m", "deploy.kubernetes.make_secrets", "elsewhere"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("usage:")


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_the_local_database_gives_each_its_own(postgres, tmp_path):
    names = ("souk_test_a", "souk_test_b")
    for name in names:
        (tmp_path / name).write_text("it's-a-$ecret")
    admin = postgres.render_as_string(hide_password=False).replace("+psycopg", "")
    environ = os.environ | {
        "PASSWORDS": str(tmp_path), "POSTGRES_USER": str(postgres.username),
        "PGHOST": str(postgres.host or postgres.query["host"]),
        "PGPORT": str(postgres.port or postgres.query.get("port", 5432)), "PGPASSWORD": postgres.password or "",
    }  # fmt: skip
    try:
        subprocess.run(["sh", str(FOLDER / "overlays" / "local" / "databases.sh")], env=environ, check=True)
        for name in names:
            url = postgres.set(username=name, password="it's-a-$ecret", database=name)
            with psycopg.connect(url.render_as_string(hide_password=False).replace("+psycopg", "")) as connection:
                connection.execute("CREATE TABLE mine (id int)")
        with psycopg.connect(admin) as connection:
            found = "SELECT has_database_privilege('souk_test_a', 'souk_test_b', 'CONNECT')"
            assert connection.execute(found).fetchone() == (False,)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name}")
                connection.execute(f"DROP ROLE IF EXISTS {name}")
