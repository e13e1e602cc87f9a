"""The system in containers, from a start with nothing there to its end; the tests build on each other."""

import threading
import time
from collections import Counter

import pytest
import requests

from bench.compose import IMAGE_MB, image_sizes
from bench.containers import Containers
from bench.customer import Customer

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]

PATIENCE_S = 30
REFUSED = """
import os, pathlib, psycopg, sys
url = pathlib.Path("/run/secrets/database-url").read_text()
server, _, own = url.rpartition("/")
psycopg.connect(url).close()
for other in sys.argv[1:]:
    try:
        psycopg.connect(f"{server}/{other}").close()
        print("may connect:", other)
    except psycopg.OperationalError as error:
        if "permission denied for database" not in str(error):
            print(other, error)
"""
COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "ld", "make", "pip")


def confirmed(system: Containers) -> None:
    customer = system.customer()
    assert customer.follow(customer.place({"SOUK-000001": 2}))["state"] == "CONFIRMED"


def seen(system: Containers, times: int = 60) -> Counter[str]:
    """Who has answered how many of so many requests, none of which comes out of the cache."""
    by: Counter[str] = Counter()
    customer = Customer(system.shop)
    for number in range(times):
        answer = customer.must("GET", f"/api/catalog/products?limit=1&q={time.monotonic_ns()}-{number}")
        by[answer.headers["X-Served-By"]] += 1
    customer.close()
    return by


def until(what, within_s: float = PATIENCE_S):
    """The first answer that is one."""
    deadline = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)
    return found


def test_all_containers_are_healthy_or_have_ended_well(system, record_property):
    record_property("seconds from built images to all healthy", round(system.took_s, 1))
    states = {one["Name"]: one["State"] for one in system.began_with}
    assert len(states) > 20
    ended = {name for name, state in states.items() if state["Status"] == "exited" and state["ExitCode"] == 0}
    healthy = {name for name, state in states.items() if state.get("Health", {}).get("Status") == "healthy"}
    assert ended | healthy == set(states)


def test_an_order_is_confirmed_through_the_broker(system):
    confirmed(system)
    queues = system.inside("rabbitmq", "rabbitmqctl", "--quiet", "list_queues", "name")
    assert "souk.inventory" in queues.splitlines()
    until(lambda: '"path":"/api/orders","status":202' in system.docker("compose", "logs", "gateway"))  # once a second
    users = system.inside("rabbitmq", "rabbitmqctl", "--quiet", "list_users").splitlines()
    assert [line.split()[0] for line in users[1:]] == ["souk"]


def test_nothing_is_root_or_can_write_or_has_a_capability(system):
    for one in system.inspect():
        name, host = one["Name"], one["HostConfig"]
        assert one["Config"]["User"] not in ("", "root", "0"), name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
    for service in ("orders", "gateway"):
        assert system.inside(service, "id", "-u").strip() == "10001"
        assert "Read-only" in system.inside(service, "sh", "-c", "touch /souk/x 2>&1 || true")


def test_no_secret_is_in_an_image_or_in_what_docker_shows_of_a_container(system):
    read = "for file in /s/*/password /s/*/roles/* /s/*/service.keys /s/*/storefront.key; do cat $file; echo; done"
    volumes = [f"--volume={name}:/s/{name}:ro" for name in secrets(system)]
    found = set(system.docker("run", "--rm", *volumes, "souk/orders", "sh", "-c", read).split())
    assert len(found) == 13  # three servers, eight roles, two keys to sign with
    shown = system.docker("inspect", *system.ids())
    for image in {one["Config"]["Image"] for one in system.inspect()}:
        shown += system.docker("history", "--no-trunc", image) + system.docker("image", "inspect", image)
    assert not [secret for secret in found if secret in shown]


def secrets(system: Containers) -> list[str]:
    names = system.docker("volume", "ls", "--quiet", "--filter", f"name={system.project}_secrets-").split()
    assert len(names) > 10
    return names


def test_images_are_small_and_have_no_compiler(system, record_property):
    sizes = image_sizes(system)
    record_property("largest image of ours in MB", round(max(sizes.values())))
    assert max(sizes.values()) < IMAGE_MB
    assert len(sizes) == 12
    look = "for name in " + " ".join(COMPILERS) + "; do command -v $name || true; done"
    assert system.inside("orders", "sh", "-c", look) == ""


def test_no_role_reaches_the_database_of_another(system):
    databases = ["accounts", "bank", "carts", "catalog", "inventory", "notifications", "orders", "payments"]
    for one in databases:
        others = {*databases, "postgres", "template1"} - {one}
        assert system.inside(one, "python", "-c", REFUSED, *others) == ""


def test_more_replicas_share_the_load_and_one_that_is_stopped_loses_no_request(system):
    system.docker("compose", "up", "--detach", "--no-recreate", "--scale", "catalog=3", "--wait", "catalog")
    by = until(lambda: len(found := seen(system)) == 3 and found)
    assert min(by.values()) >= sum(by.values()) / 6
    failed, stopping = [], threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            try:
                seen(system, 5)
            except requests.RequestException as error:
                failed.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    try:
        system.docker("stop", system.ids("catalog")[-1])
    finally:
        stopping.set()
        for thread in asking:
            thread.join()
    assert not failed
    assert len(seen(system)) == 2


def test_without_the_broker_orders_wait_and_end_when_it_is_back(system):
    container, network = system.ids("orders")[0], f"{system.project}_events"
    customer = system.customer()
    system.docker("network", "disconnect", network, container)
    try:
        placed = customer.insist({"SOUK-000002": 1})
        assert placed.status_code == 202
        time.sleep(2)
        assert customer.get(placed.headers["Location"])["state"] == "PENDING"
    finally:
        system.docker("network", "connect", network, container)
    assert customer.follow(placed)["state"] in ("CONFIRMED", "CANCELLED")
    confirmed(system)


def test_all_at_once_are_restarted_and_every_order_ends(system):
    customer = system.customer()
    placed = [customer.insist({"SOUK-000003": 1}) for _ in range(10)]
    system.docker("compose", "restart", "--timeout", "20")
    until(lambda: all(answers(system, name) for name in ("accounts", "catalog", "orders")), 90)
    again = system.customer()
    assert {again.follow(one)["state"] for one in placed} <= {"CONFIRMED", "CANCELLED"}
    until(lambda: again.insist({"SOUK-000003": 1}).status_code == 202, 90)
    audit = system.souk("audit", "--within", "60")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert " 0 findings" in audit.stdout


def answers(system: Containers, service: str) -> bool:
    """Whether the service answers through the gateway; neither may be back yet."""
    try:
        return requests.get(f"{system.shop}/api/{service}/openapi.json", timeout=10).ok
    except requests.RequestException:
        return False


def test_a_missing_secret_is_one_line_and_the_next_start_puts_it_back(system):
    volume = f"{system.project}_secrets-orders:/s"
    system.docker("run", "--rm", "--user", "10001", "--volume", volume, "souk/orders", "rm", "-f", "/s/database-url")
    with pytest.raises(AssertionError) as caught:
        system.docker("compose", "run", "--rm", "--no-deps", "orders")
    said = str(caught.value)
    assert "DATABASE_URL_FILE: cannot read /run/secrets/database-url (No such file or directory)" in said
    assert "Traceback" not in said
    done = system.start()
    assert done.returncode == 0, done.stderr
    confirmed(system)


def test_a_wrong_password_is_one_line_and_nothing_is_half_started(system):
    system.docker("compose", "--profile", "*", "down")
    change = "cp -p /s/password /s/kept; chmod u+w /s/password; printf wrong > /s/password"
    volume = f"--volume={system.project}_secrets-postgres:/s"
    system.docker("run", "--rm", "--user", "10001", volume, "souk/orders", "sh", "-c", change)
    done = system.start()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "databases does not start" in done.stderr
    assert "password authentication failed" in done.stderr
    assert not system.ids()
    system.docker("run", "--rm", "--user", "10001", volume, "souk/orders", "mv", "-f", "/s/kept", "/s/password")


def test_consul_takes_the_place_of_the_registry(system):
    done = system.start(COMPOSE_PROFILES="consul")
    assert done.returncode == 0, done.stderr
    assert system.ids("consul")
    assert not system.ids("registry")
    confirmed(system)
    url = f"http://127.0.0.1:{system.registry_port}/v1/agent/self"
    assert requests.get(url, timeout=10).json()["Config"]["Server"] is True
