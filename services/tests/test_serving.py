"""A service as a real process under a real registry: it registers what it bound, drains, and leaves."""

import concurrent.futures
import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest
import requests

from chassis.testing import SERVICE_KEY, eventually
from chassis.testing_dns import FakeDns
from registry.testing import start_registry

TOY = """
from chassis.serve import serve
from chassis.tests.toy import Settings, routes
import time
routes.get("/slow")(lambda: (time.sleep(1.5), {"slow": True})[1])
serve("chassis.tests.toy:create_app", Settings.load())
"""


@pytest.fixture
def registry(tmp_path):
    with start_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def start_toy(registry, tmp_path):
    processes = []

    def start(wait=True, **environment):
        settings = {"SOUK_HOME": str(tmp_path / "home"), "DISCOVERY_URL": f"consul://127.0.0.1:{registry.port}"}
        log = tmp_path / f"toy-{len(processes)}.log"
        with log.open("wb") as output:
            env = os.environ | settings | environment
            process = subprocess.Popen([sys.executable, "-c", TOY], env=env, stdout=output, stderr=output)
        process.log = log
        processes.append(process)
        if wait:
            eventually(lambda: len(passing(registry)) == len(processes) or process.poll() is not None)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def passing(registry):
    rows = requests.get(f"{registry.url}/v1/health/service/toy?passing", timeout=5).json()
    return [f"http://{row['Service']['Address']}:{row['Service']['Port']}" for row in rows]


def test_an_instance_registers_the_port_that_it_got_and_answers_there(start_toy, registry):
    start_toy()
    (url,) = passing(registry)
    answer = requests.get(f"{url}/readyz", timeout=5)
    assert answer.json() == {"status": "ready"}
    assert answer.headers["X-Served-By"] == f"toy-127.0.0.1-{url.rpartition(':')[2]}"


def test_on_sigterm_it_leaves_the_registry_goes_on_answering_and_then_ends(start_toy, registry):
    process = start_toy(DRAIN_S="3")
    (url,) = passing(registry)
    process.send_signal(signal.SIGTERM)
    eventually(lambda: passing(registry) == [])
    answer = requests.get(f"{url}/healthz", timeout=5)
    assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
    assert process.wait(timeout=20) == 0


def test_requests_under_way_are_finished_before_the_end(start_toy, registry):
    process = start_toy(DRAIN_S="0.2")
    (url,) = passing(registry)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(requests.get, f"{url}/api/toy/slow", timeout=20) for _ in range(4)]
        eventually(lambda: requests.get(f"{url}/healthz", timeout=5).ok)
        process.send_signal(signal.SIGTERM)
        assert [future.result().json() for future in slow] == [{"slow": True}] * 4
    assert process.wait(timeout=20) == 0


def test_a_killed_worker_comes_back_and_registers_again(start_toy, registry):
    process = start_toy()
    (url,) = passing(registry)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)

    def answers():
        try:
            return requests.get(f"{url}/healthz", timeout=1).ok
        except requests.RequestException:
            return False

    eventually(answers)
    eventually(lambda: passing(registry) == [url])


def test_one_that_the_registry_has_forgotten_registers_anew(start_toy, registry):
    start_toy()
    (url,) = passing(registry)
    instance = f"toy-127.0.0.1-{url.rpartition(':')[2]}"
    requests.put(f"{registry.url}/v1/agent/service/deregister/{instance}", timeout=5).raise_for_status()
    eventually(lambda: passing(registry) == [url])


def test_one_without_its_database_is_no_longer_healthy_and_comes_back(start_toy, registry, tmp_path):
    start_toy(TTL_S="1", RENEWAL_S="0.2")
    (url,) = passing(registry)
    data, aside = tmp_path / "home" / "data", tmp_path / "aside"
    hold = data / "toy.db"
    original = hold.read_bytes()
    for file in data.iterdir():
        file.rename(tmp_path / f"moved-{file.name}")
    data.rmdir()
    aside.mkdir()
    data.write_text("no folder here")
    requests.get(f"{url}/readyz", timeout=5)
    data.unlink()
    data.mkdir()
    hold.write_bytes(original)
    eventually(lambda: requests.get(f"{url}/readyz", timeout=5).ok)
    eventually(lambda: passing(registry) == [url])


def test_requests_that_waited_too_long_for_a_thread_are_refused_and_those_in_time_are_not(start_toy, registry):
    start_toy(THREADS="1", SHED_AFTER_MS="1000")
    (url,) = passing(registry)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(f"{url}/api/toy/slow", timeout=20), range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[-1] == 503
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["Retry-After"] == "1"


def test_a_taken_port_is_one_clear_line(start_toy):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start_toy(wait=False, PORT=str(port))
        assert process.wait(timeout=30) != 0
        lines = process.log.read_text().strip().splitlines()
        assert str(port) in lines[-1]
        assert "Traceback" not in process.log.read_text()


def test_a_file_of_instances_that_cannot_be_read_is_one_line(start_toy, tmp_path):
    for content, reason in ((None, "No such file or directory"), ("catalog = 1", "needs a table [services]")):
        file = tmp_path / "instances.toml"
        if content:
            file.write_text(content)
        process = start_toy(wait=False, DISCOVERY_URL=f"static://{file}")
        assert process.wait(timeout=30) == 1
        (line,) = process.log.read_text().splitlines()
        assert str(file) in line
        assert reason in line


def test_wrong_settings_are_all_named_at_once():
    wrong = {
        "PORT": "99999",
        "THREADS": "many",
        "EVENT_ROUTES": "{",
        "BALANCING": '{"*": "best"}',
        "REDIS_URL": "redis",
        "DISCOVERY_URL": "http://127.0.0.1:8500",
    }
    command = [sys.executable, "-m", "orders", "serve"]
    result = subprocess.run(command, env=os.environ | wrong, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    for name in wrong:
        assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_registry_instances_find_each_other_by_dns(start_toy, tmp_path):
    server = FakeDns()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server.put("toy", "127.0.0.1")
    keys = tmp_path / "service.keys"
    keys.write_text(SERVICE_KEY)
    process = start_toy(
        wait=False, PORT=str(port), SERVICE_KEY_FILE=str(keys), EVENT_ROUTES='{"thing.counted": ["toy"]}',
        DISCOVERY_URL=f"dns://souk.test:{port}?server=127.0.0.1:{server.port}",
    )  # fmt: skip
    eventually(lambda: is_ready(f"http://127.0.0.1:{port}"))
    requests.post(f"http://127.0.0.1:{port}/api/toy/thing", timeout=5).raise_for_status()
    eventually(lambda: counted(tmp_path / "home" / "data" / "toy.db", "thing") == 2)  # once more by its own event
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert "is not renewed" not in process.log.read_text()
    server.stop()


def is_ready(url):
    try:
        return requests.get(f"{url}/readyz", timeout=1).ok
    except requests.RequestException:
        return False


def counted(file, name):
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT value FROM counts WHERE name = ?", (name,)).fetchone()[0]
