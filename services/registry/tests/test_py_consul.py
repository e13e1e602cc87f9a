"""A client library that knows nothing of us, used as its documentation says, against both servers."""

import subprocess

import consul
import pytest
from consul import Check

from chassis.testing_dimensions import missing_server
from registry.testing import consul_binary, eventually


def test_the_contract_is_held_against_a_real_consul_too():
    if not consul_binary():
        missing_server("Consul", "only our registry was asked: put `consul` on the PATH, or its path in CONSUL_BIN")
    version = subprocess.run([consul_binary(), "version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("Consul v")


@pytest.fixture
def client(api):
    made = consul.Consul(host="127.0.0.1", port=api.server.port)
    yield made
    made.http.session.close()


def test_it_registers_renews_finds_and_deregisters(api, client):
    name = api.name()
    assert client.agent.service.register(name, service_id=f"{name}-1", port=81, tags=["a"], check=Check.ttl("600s"))
    assert f"{name}-1" in client.agent.services()
    assert client.agent.check.ttl_pass(f"service:{name}-1", "fine")

    def passing():
        return client.health.service(name, passing=True)[1]

    [row] = eventually(passing)
    assert row["Service"]["Port"] == 81
    assert client.agent.service.maintenance(f"{name}-1", "true")
    eventually(lambda: not passing())
    assert client.agent.service.maintenance(f"{name}-1", "false")
    assert client.agent.service.deregister(f"{name}-1")
    eventually(lambda: not client.catalog.service(name)[1])


def test_it_watches_a_service(api, client, pool):
    name = api.name()
    index, rows = client.health.service(name)
    assert rows == []
    watcher = pool.submit(client.health.service, name, index=index, wait="20s")
    assert client.agent.service.register(name)
    newer, _ = watcher.result()
    assert int(newer) > int(index)
    eventually(lambda: client.health.service(name)[1])


def test_it_reads_the_catalogue_and_the_status(client):
    assert "consul" in client.catalog.services()[1]
    assert len(client.catalog.nodes()[1]) == 1
    assert client.catalog.datacenters() == ["dc1"]
    assert client.status.leader() in client.status.peers()
    assert client.agent.self()["Config"]["Server"] is True
    assert client.health.state("any")[1]


def test_it_keeps_pairs(api, client, pool):
    key = api.name()
    index, missing = client.kv.get(key)
    assert missing is None
    assert client.kv.put(f"{key}/a", "1")
    assert client.kv.put(f"{key}/a", "2", cas=0) is False
    assert client.kv.get(f"{key}/a")[1]["Value"] == b"1"
    assert client.kv.get(f"{key}/", recurse=True)[1][0]["Key"] == f"{key}/a"
    assert client.kv.get(key, keys=True)[1] == [f"{key}/a"]
    index = client.kv.get(f"{key}/a")[0]
    watcher = pool.submit(client.kv.get, f"{key}/a", index=index, wait="20s")
    assert client.kv.put(f"{key}/a", "3")
    assert watcher.result()[1]["Value"] == b"3"
    assert client.kv.delete(key, recurse=True)
    assert client.kv.get(f"{key}/a")[1] is None
