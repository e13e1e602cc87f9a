"""The process: how it starts, refuses to start, carries many watchers, stops, and comes back."""

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from registry.settings import Settings, SettingsError, load
from registry.testing import eventually, start_registry


def serve(home, **environment):
    settings = {"SOUK_HOME": str(home), "REGISTRY_PORT": "0"} | environment
    command = [sys.executable, "-m", "registry", "serve"]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=60)


def test_all_wrong_settings_are_named_in_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    ended = serve(tmp_path / "file", HOST="not a host", REGISTRY_PORT="eighty", LOG_LEVEL="loud")

    assert ended.returncode == 2
    for name in ("HOST", "REGISTRY_PORT", "LOG_LEVEL", "SOUK_HOME"):
        assert ended.stderr.count(name) == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "8500.0", "²"])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(SettingsError, match="REGISTRY_PORT"):
        load({"REGISTRY_PORT": port})


def test_without_settings_the_defaults_hold():
    assert load({"HOST": ""}) == Settings(host="127.0.0.1", port=8500)


def test_a_taken_port_is_one_line_and_a_failure(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve(tmp_path, REGISTRY_PORT=str(port))

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"registry: cannot listen on 127.0.0.1:{port}: Address already in use"]


def test_a_database_that_cannot_be_opened_is_one_line_and_a_failure(tmp_path):
    (tmp_path / "data" / "registry.db").mkdir(parents=True)
    ended = serve(tmp_path)

    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "registry.db" in ended.stderr


def test_another_command_is_answered_with_the_usage(tmp_path):
    ended = subprocess.run([sys.executable, "-m", "registry", "migrate"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (2, "usage: python -m registry serve\n")


def test_after_a_restart_pairs_are_kept_indexes_fall_and_nobody_hangs(tmp_path):
    path = "/v1/health/service/again"
    with start_registry(tmp_path) as first:
        requests.put(f"{first.url}/v1/kv/kept", data=b"value", timeout=10)
        pair = requests.get(f"{first.url}/v1/kv/kept", timeout=10).json()
        for port in range(20):
            requests.put(f"{first.url}/v1/agent/service/register", json={"Name": "again", "Port": port}, timeout=10)
        before = int(requests.get(f"{first.url}{path}", timeout=10).headers["X-Consul-Index"])
        assert first.stop() == 0
    with start_registry(tmp_path, port=first.port) as second:
        answer = requests.get(f"{second.url}{path}?index={before}&wait=300ms", timeout=10)
        assert answer.json() == []
        assert 1 <= int(answer.headers["X-Consul-Index"]) < before
        assert requests.get(f"{second.url}/v1/kv/kept", timeout=10).json() == pair
        requests.put(f"{second.url}/v1/kv/kept", data=b"newer", timeout=10)
        newer = requests.get(f"{second.url}/v1/kv/kept", timeout=10).json()
        assert newer[0]["ModifyIndex"] > pair[0]["ModifyIndex"], "an index that is given twice breaks check-and-set"


def test_a_killed_registry_keeps_the_pairs_that_it_confirmed(tmp_path):
    with start_registry(tmp_path) as registry:
        requests.put(f"{registry.url}/v1/kv/kept", data=b"value", timeout=10)
        registry.stop(signal.SIGKILL)
    # The worker notices within a second that its master is gone, and ends; then the file has no other user.
    with start_registry(tmp_path) as registry:
        assert requests.get(f"{registry.url}/v1/kv/kept?raw", timeout=10).content == b"value"


class Watcher:
    """A blocked read on a bare socket: a thousand of them need no thousand threads."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: registry\r\n\r\n".encode())

    def answer(self):
        return self.socket.recv(65536)


@pytest.fixture
def many():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    watchers = []
    yield watchers
    for watcher in watchers:
        watcher.socket.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_watchers_wait_while_renewals_go_on_then_all_hear_of_a_change_or_of_the_end(own, many):
    for name in ("watched", "other"):
        own.register(Name=name, Check={"TTL": "600s", "Status": "passing"})
        path = f"/v1/health/service/{name}?passing&wait=5m&index={own.index(f'/v1/health/service/{name}')}"
        many += [Watcher(own.server.port, path) for _ in range(1000)]
    watched, others = many[:1000], many[1000:]
    with requests.Session() as session:
        for _ in range(300):
            assert session.put(f"{own.server.url}/v1/agent/check/pass/service:watched", timeout=10).status_code == 200
    own.put("/v1/agent/check/fail/service:watched")

    assert all(watcher.answer().startswith(b"HTTP/1.1 200 OK") for watcher in watched)
    began = time.monotonic()
    own.server.stop()
    assert all(watcher.answer() == b"" for watcher in others)
    assert time.monotonic() - began < 10, "a stop does not wait for watchers, who may wait for minutes"


def test_a_client_that_never_pauses_keeps_nobody_else_waiting(own):
    """5000 requests lie ready on one connection; what another asks meanwhile is answered before them."""
    ask, flood = b"GET /v1/status/leader HTTP/1.1\r\nHost: registry\r\n\r\n", 5000
    answered, begun = [], threading.Event()

    def read_all(connection):
        for line in connection.makefile("rb"):  # a body ends without a new line, so a head may follow on its line
            answered.extend([line] if line.endswith(b"HTTP/1.1 200 OK\r\n") else [])
            begun.set()
            if len(answered) == flood:
                return

    address = ("127.0.0.1", own.server.port)
    with socket.create_connection(address, 60) as greedy, socket.create_connection(address, 60) as modest:
        reader = threading.Thread(target=read_all, args=(greedy,))
        reader.start()
        threading.Thread(target=greedy.sendall, args=(flood * ask,)).start()
        assert begun.wait(60)
        modest.sendall(ask)
        assert modest.recv(65536).startswith(b"HTTP/1.1 200 OK")
        before = len(answered)
        reader.join(60)

    assert before < flood == len(answered)


def test_heartbeats_leave_no_line_in_the_log(own):
    own.register(Name="quiet", Check={"TTL": "600s"})
    own.put("/v1/agent/check/pass/service:quiet")
    eventually(lambda: "service:quiet: critical -> passing" in own.server.log.read_text())
    before = own.server.log.read_text()
    for _ in range(5):
        own.put("/v1/agent/check/pass/service:quiet")
        own.health("quiet")
    own.put("/v1/agent/check/fail/service:quiet")
    after = eventually(lambda: own.server.log.read_text()[len(before) :])

    assert [json.loads(line)["event"] for line in after.splitlines()] == ["check service:quiet: passing -> critical"]


def test_connections_are_kept_open_between_requests(own):
    connection = http.client.HTTPConnection("127.0.0.1", own.server.port, timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(2):
        connection.request("GET", "/v1/status/leader")
        assert connection.getresponse().read() == b'"127.0.0.1:8300"'
    assert connection.sock is first
    connection.close()
