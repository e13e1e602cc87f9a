"""Indexes and blocking queries: who is woken by what, and who is left in peace.

"Is not woken" is shown without a race: the watch has a short wait of its own and comes back with the index
that it was given.
"""

import time

import pytest

from registry.testing import eventually

READS = [
    "/v1/health/service/{name}",
    "/v1/health/service/{name}?passing",
    "/v1/health/checks/{name}",
    "/v1/catalog/service/{name}",
]


def index_of(answer):
    return int(answer.headers["X-Consul-Index"])


def is_blocked(watcher):
    """A read that is answered at once would be back by then; one that is merely slow only weakens the test."""
    time.sleep(0.1)
    return not watcher.done()


@pytest.mark.parametrize(
    "path",
    ["/v1/catalog/services", "/v1/catalog/nodes", "/v1/health/state/any", "/v1/kv/missing", "/v1/kv/?keys", *READS],
)
def test_every_indexed_read_carries_the_headers(api, path):
    answer = api.get(path.format(name=api.name()))

    assert index_of(answer) >= 1
    assert answer.headers["X-Consul-KnownLeader"] == "true"
    assert answer.headers["X-Consul-LastContact"].isdecimal()
    assert answer.status_code == 404 or answer.headers["Content-Type"].startswith("application/json")


def test_reads_of_the_agent_carry_no_index(api):
    for path in ("/v1/agent/services", "/v1/agent/checks", "/v1/agent/self", "/v1/status/leader"):
        assert "X-Consul-Index" not in api.get(path, index="1", wait="1s").headers


def test_an_unknown_service_is_an_empty_list(api):
    for path in READS:
        answer = api.get(path.format(name=api.name()))
        assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("path", READS)
def test_a_watcher_of_an_absent_service_is_woken_by_its_first_instance_and_by_its_last(api, path):
    name = api.name()
    path = path.format(name=name)
    watcher = api.watch(path)
    assert is_blocked(watcher)
    definition = {"Name": name, "Check": {"TTL": "600s", "Status": "passing"}}
    assert api.put("/v1/agent/service/register", definition).status_code == 200
    first = watcher.result()
    eventually(lambda: api.get(path).json())

    watcher = api.watch(path)
    assert is_blocked(watcher)
    api.put(f"/v1/agent/service/deregister/{name}")
    last = watcher.result()
    assert index_of(last) > index_of(first)
    eventually(lambda: api.get(path).json() == [])
    assert index_of(api.get(path)) >= index_of(last)


def test_the_answer_of_a_woken_watcher_contains_the_change(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    for verb, instances in (("fail", 0), ("pass", 1)):
        watcher = api.watch(f"/v1/health/service/{name}", passing="")
        assert is_blocked(watcher)
        api.put(f"/v1/agent/check/{verb}/service:{name}")
        assert len(watcher.result().json()) == instances


def test_a_watcher_hears_of_maintenance_and_of_a_changed_definition(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    watcher = api.watch(f"/v1/health/service/{name}", passing="")
    api.put(f"/v1/agent/service/maintenance/{name}", enable="true")
    assert watcher.result().json() == []

    watcher = api.watch(f"/v1/health/service/{name}")
    api.put("/v1/agent/service/register", {"Name": name, "Port": 99})
    assert watcher.result().json()[0]["Service"]["Port"] == 99


def test_heartbeats_other_services_pairs_and_repeated_registrations_wake_nobody(api):
    name, other = api.name(), api.name()
    definition = {"Name": name, "Tags": ["a"], "Check": {"TTL": "600s", "Status": "passing"}}
    api.register(**definition)
    api.put(f"/v1/agent/check/pass/service:{name}")
    path = f"/v1/health/service/{name}"
    index = api.index(path)
    watcher = api.watch(path, index=index, wait="1s")
    api.put(f"/v1/agent/check/pass/service:{name}")
    api.register(**definition)
    api.register(Name=other, Check={"TTL": "600s", "Status": "passing"})
    api.put(f"/v1/agent/check/fail/service:{other}")
    api.put(f"/v1/agent/service/deregister/{other}")
    api.put(f"/v1/kv/{name}", "value")

    assert index_of(watcher.result()) == index
    assert api.index(path) == index


def test_another_output_alone_wakes_nobody(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    path = f"/v1/health/service/{name}"
    index = api.index(path)
    watcher = api.watch(path, index=index, wait="700ms")
    api.put(f"/v1/agent/check/pass/service:{name}", note="another note")

    assert index_of(watcher.result()) == index


def test_the_catalogue_does_not_move_with_the_status_of_checks(ours):
    # Consul moves this index too, and only leaves those in peace who wait already, which no test can time.
    name = ours.name()
    ours.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    path = f"/v1/catalog/service/{name}"
    index, health = ours.index(path), ours.index(f"/v1/health/service/{name}")
    watcher = ours.watch(path, index=index, wait="700ms")
    ours.put(f"/v1/agent/check/fail/service:{name}")

    eventually(lambda: ours.index(f"/v1/health/service/{name}") > health)
    assert index_of(watcher.result()) == index


def test_the_list_of_names_moves_when_one_comes_or_goes(api):
    name = api.name()
    watcher = api.watch("/v1/catalog/services")
    api.put("/v1/agent/service/register", {"Name": name})
    assert name in watcher.result().json()
    watcher = api.watch("/v1/catalog/services")
    api.put(f"/v1/agent/service/deregister/{name}")
    assert name not in watcher.result().json()


def test_the_list_of_checks_moves_with_any_status(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    watcher = api.watch("/v1/health/state/critical")
    api.put(f"/v1/agent/check/fail/service:{name}")

    assert f"service:{name}" in {check["CheckID"] for check in watcher.result().json()}


def test_an_index_that_has_passed_answers_at_once(api):
    name = api.name()
    api.register(Name=name)
    old = api.index(f"/v1/health/service/{name}") - 1

    assert len(api.get(f"/v1/health/service/{name}", index=old, wait="10m").json()) == 1


@pytest.mark.parametrize("query", ["index=0&wait=10m", "index=&wait=10m", "wait=10m", "index=0&wait="])
def test_nothing_blocks_without_an_index(api, query):
    assert api.get(f"/v1/health/service/{api.name()}?{query}").status_code == 200


def test_a_wait_ends_with_the_unchanged_index_and_content(api):
    name = api.name()
    api.register(Name=name)
    began = time.monotonic()
    answer = api.watch(f"/v1/health/service/{name}", wait="500ms").result()

    assert time.monotonic() - began >= 0.5
    assert len(answer.json()) == 1
    assert index_of(answer) == api.index(f"/v1/health/service/{name}")


def test_an_index_from_the_future_waits_and_is_told_the_true_one(api):
    name = api.name()
    api.register(Name=name)
    path = f"/v1/health/service/{name}"
    began = time.monotonic()
    answer = api.watch(path, index=2**40, wait="500ms").result()

    assert time.monotonic() - began >= 0.5
    assert index_of(answer) == api.index(path)


def test_after_an_index_from_another_life_any_change_is_an_answer(ours):
    path = "/v1/health/service/returned"
    watcher = ours.watch(path, index=1_000_000, wait="20s")
    assert is_blocked(watcher)
    ours.put("/v1/agent/service/register", {"Name": "returned"})

    assert len(watcher.result().json()) == 1
    assert index_of(watcher.result()) < 1_000_000
