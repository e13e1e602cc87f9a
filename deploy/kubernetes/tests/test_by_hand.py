"""No cluster, but what the manifests say is done: their commands with their variables, found by DNS alone."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.customer import Customer
from chassis.testing import eventually
from deploy.kubernetes.make_secrets import make_secrets
from deploy.kubernetes.tests.by_hand import Cluster

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8"),
]


@pytest.fixture
def cluster(local, tmp_path):
    secrets = {one["metadata"]["name"]: one for one in make_secrets("local")}
    cluster = Cluster(local, secrets, tmp_path)
    yield cluster
    cluster.close()


def served_by(customer):
    """The addresses of the pods that answer for catalog now. Raises when one of 20 requests fails."""
    answers = [customer.must("GET", "/api/catalog/openapi.json") for _ in range(20)]
    return {answer.headers["X-Served-By"].split("-")[1] for answer in answers}


def test_the_shop_serves_without_a_registry_and_follows_its_pods(cluster, local, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cluster.job, local.of("Job")))
        list(pool.map(cluster.run, [name for name in local.of("Deployment") if name != "gateway"]))
        cluster.run("gateway")
        customer = Customer(f"http://127.0.0.1:{cluster.gateway_port}")
        passwords = json.loads((tmp_path / "passwords.json").read_text())
        customer.sign_in("customer@souk.example", passwords["customer@souk.example"])
        assert customer.follow(customer.insist({"SOUK-000001": 1}))["state"] == "CONFIRMED"
        assert customer.must("GET", "/").headers["Content-Type"].startswith("text/html")

        first = next(pod for pod in cluster.pods if pod.name == "catalog")
        second = cluster.run("catalog")
        eventually(lambda: served_by(customer) == {first.address, second.address})
        ending = pool.submit(cluster.end, "catalog", first)
        while not ending.done():
            served_by(customer)  # nobody notices
        ending.result()
        assert served_by(customer) == {second.address}
        assert customer.follow(customer.insist({"SOUK-000002": 1}))["state"] == "CONFIRMED"
        customer.close()
