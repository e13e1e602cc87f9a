"""Health: heartbeats, what happens without them, and what filters show."""

import http.server
import threading

import pytest

from registry.testing import eventually


def test_each_report_sets_status_and_output(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s"})
    for verb, status in (("pass", "passing"), ("warn", "warning"), ("fail", "critical")):
        answer = api.put(f"/v1/agent/check/{verb}/service:{name}", note=f"so {verb}")
        assert (answer.status_code, answer.text) == (200, "")
        check = api.get("/v1/agent/checks").json()[f"service:{name}"]
        assert (check["Status"], check["Output"]) == (status, f"so {verb}")
        eventually(lambda status=status: api.check(name, f"service:{name}")["Status"] == status)
    api.put(f"/v1/agent/check/update/service:{name}", {"Status": "passing", "Output": "updated"})
    eventually(lambda: api.check(name, f"service:{name}")["Output"] == "updated")


def test_only_instances_whose_checks_all_pass_are_passing(api):
    name = api.name()
    for status in ("passing", "warning", "critical"):
        api.register(Name=name, ID=f"{name}-{status}", Check={"TTL": "600s", "Status": status})

    assert api.passing(name) == [f"{name}-passing"]
    for value in ("1", "true"):
        assert len(api.health(name, passing=value)) == 1
    for value in ("0", "false"):
        assert len(api.health(name, passing=value)) == 3
    assert api.get(f"/v1/health/service/{name}", passing="perhaps").status_code == 400


def test_tags_are_all_required_and_compared_without_regard_to_case(api):
    name = api.name()
    api.register(Name=name, ID=f"{name}-1", Tags=["Blue", "v1"])
    api.register(Name=name, ID=f"{name}-2", Tags=["blue"])

    assert len(api.health(name, tag="BLUE")) == 2
    assert len(api.health(name, tag=["blue", "V1"])) == 1
    assert len(api.get(f"/v1/catalog/service/{name}", tag=["blue", "v1"]).json()) == 1
    assert api.health(name, tag="red") == []


def test_an_instance_that_is_not_renewed_turns_critical_stays_and_is_revived(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600ms", "Status": "passing"})
    watcher = api.watch(f"/v1/health/service/{name}", passing="")

    assert watcher.result().json() == []
    check = api.check(name, f"service:{name}")
    assert (check["Status"], check["Output"]) == ("critical", "TTL expired")
    assert len(api.health(name)) == 1
    api.put(f"/v1/agent/check/pass/service:{name}", note="back")
    eventually(lambda: api.passing(name) == [name])
    expired = "TTL expired (last output before timeout follows): back"
    eventually(lambda: api.check(name, f"service:{name}")["Output"] == expired)


def test_renewals_keep_an_instance_passing_beyond_its_ttl(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "2s", "Status": "passing"})
    watcher = api.watch(f"/v1/health/service/{name}", passing="", wait="2500ms")
    while not watcher.done():
        api.put(f"/v1/agent/check/pass/service:{name}")

    assert len(watcher.result().json()) == 1


@pytest.mark.parametrize("check_id", ["nobody", "_service_maintenance:nobody"])
def test_reporting_on_an_unknown_check_says_so(api, check_id):
    answer = api.put(f"/v1/agent/check/pass/{check_id}")

    assert answer.status_code in (404, 500)
    assert check_id in answer.text


def test_maintenance_takes_an_instance_out_until_it_is_ended(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
    for _ in range(2):
        assert api.put(f"/v1/agent/service/maintenance/{name}", enable="true", reason="oil").status_code == 200
    eventually(lambda: api.passing(name) == [])
    check = api.check(name, f"_service_maintenance:{name}")
    assert (check["Name"], check["Notes"], check["Status"]) == ("Service Maintenance Mode", "oil", "critical")

    api.put(f"/v1/agent/check/pass/service:{name}")
    api.register(Name=name, Tags=["again"], Check={"TTL": "600s", "Status": "passing"})
    assert api.passing(name) == []
    api.put(f"/v1/agent/service/maintenance/{name}", enable="false")
    eventually(lambda: api.passing(name) == [name])


def test_maintenance_without_a_reason_says_that_there_is_none(api):
    name = api.name()
    api.register(Name=name)
    api.put(f"/v1/agent/service/maintenance/{name}", enable="1")

    check = eventually(lambda: api.get(f"/v1/health/checks/{name}").json())[0]
    assert "no reason was provided" in check["Notes"]


def test_node_maintenance_takes_every_instance_out(own):
    own.register(Name="one")
    own.register(Name="two")
    assert own.put("/v1/agent/maintenance", enable="true").status_code == 200
    assert own.passing("one") == own.passing("two") == []
    own.put("/v1/agent/maintenance", enable="false")
    assert own.passing("one") == ["one"]


def test_checks_can_be_read_by_state_and_by_node(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s", "Status": "warning"})
    node = api.get("/v1/agent/self").json()["Config"]["NodeName"]

    def ids(path):
        return {check["CheckID"] for check in api.get(path).json()}

    assert f"service:{name}" in ids("/v1/health/state/warning")
    assert f"service:{name}" not in ids("/v1/health/state/passing")
    assert {f"service:{name}", "serfHealth"} <= ids("/v1/health/state/any") & ids(f"/v1/health/node/{node}")
    assert api.get("/v1/health/state/unheard-of").json() == []
    assert "serfHealth" not in api.get("/v1/agent/checks").json()
    assert ids(f"/v1/health/checks/{name}") == {f"service:{name}"}


@pytest.fixture
def instance():
    """An instance that answers `/429` with 429 and so on, and notes who asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.agents.append(self.headers["User-Agent"])
            self.send_response(int(self.path[1:]))
            self.end_headers()
            self.wfile.write(b"body of the answer")

        def log_message(self, *args):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.agents = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_http_check_follows_what_the_instance_answers(api, instance):
    name = api.name()
    url = f"http://127.0.0.1:{instance.server_port}"
    states = {"200": "passing", "429": "warning", "500": "critical"}
    checks = [{"CheckID": f"{name}-{code}", "HTTP": f"{url}/{code}", "Interval": "1s"} for code in states]
    api.register(Name=name, Checks=checks)
    for code, state in states.items():
        check_id = f"{name}-{code}"
        output = eventually(lambda check_id=check_id: api.get("/v1/agent/checks").json()[check_id]["Output"])
        assert output.startswith(f"HTTP GET {url}/{code}: {code} ")
        assert output.endswith("Output: body of the answer")
        eventually(lambda check_id=check_id, state=state: api.check(name, check_id)["Status"] == state)
    assert set(instance.agents) == {"Consul Health Check"}


def test_polling_ends_with_the_registration_and_is_not_doubled_by_a_new_one(ours, instance):
    url = f"http://127.0.0.1:{instance.server_port}/200"
    check = {"HTTP": url, "Interval": "1s"}
    ours.register(Name="polled", Check=check)
    ours.register(Name="polled", Tags=["again"], Check=check)
    eventually(lambda: ours.passing("polled"))
    before = len(instance.agents)
    ours.watch("/v1/health/service/nobody", wait="2s").result()
    assert len(instance.agents) - before <= 3
    ours.put("/v1/agent/service/deregister/polled")
    ours.watch("/v1/health/service/nobody", wait="300ms").result()
    after = len(instance.agents)
    ours.watch("/v1/health/service/nobody", wait="1200ms").result()
    assert len(instance.agents) == after


def test_checks_of_a_closed_port_are_critical(api, instance):
    name, port = api.name(), instance.server_port
    api.register(
        Name=name,
        Checks=[
            {"CheckID": f"{name}-open", "TCP": f"127.0.0.1:{port}", "Interval": "1s"},
            {"CheckID": f"{name}-http", "HTTP": "http://127.0.0.1:1/", "Interval": "1s", "Status": "passing"},
            {"CheckID": f"{name}-tcp", "TCP": "127.0.0.1:1", "Interval": "1s", "Status": "passing"},
        ],
    )
    eventually(lambda: api.check(name, f"{name}-open")["Status"] == "passing")
    for check_id in (f"{name}-http", f"{name}-tcp"):
        eventually(lambda check_id=check_id: api.check(name, check_id)["Status"] == "critical")
        assert "refused" in api.get("/v1/agent/checks").json()[check_id]["Output"]
