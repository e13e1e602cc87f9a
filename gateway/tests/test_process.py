"""The gateway as a process: what its operator and its supervisor see."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.discovery import make_discovery
from chassis.registration import Registration
from gateway.testing import Door, eventually, free_port
from registry.testing import start_registry


class Running:
    """`python -m gateway` with the instances that a file names."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home, self.port = home, int(environ.get("GATEWAY_PORT", free_port()))
        self.file = home / "instances.toml"
        if not self.file.exists():
            self.file.write_text("[services]\n")
        standard = {
            "SOUK_HOME": str(home), "GATEWAY_PORT": str(self.port), "DISCOVERY_URL": f"static://{self.file}",
            "STOP_S": "5",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            env=os.environ | standard | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.door = Door(self.port, home)

    def wait_until_serving(self) -> "Running":
        for line in self.process.stdout:
            if '"event": "serving"' in line:
                return self
        raise AssertionError(self.process.communicate())

    def nginx_pid(self) -> int:
        return int((self.home / "run" / "nginx" / "nginx.pid").read_text())

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal; the exit status and what was written to standard error."""
        self.process.send_signal(number)
        return self.result()

    def result(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def nginx_processes(home: Path) -> list[int]:
    folder = home / "run" / "nginx"
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").samefile(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def start(tmp_path):
    """Start gateways; end what is left of them."""
    started = []

    def start(**environ):
        started.append(Running(tmp_path, **environ))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end()
    for pid in nginx_processes(tmp_path):
        os.kill(pid, signal.SIGKILL)


def test_sigterm_ends_everything_with_status_0(start, tmp_path):
    running = start().wait_until_serving()
    assert running.door.ask("/").status == 503
    eventually(lambda: len(nginx_processes(tmp_path)) >= 3)  # the second worker may come after the first answer
    assert running.end() == (0, "")
    assert nginx_processes(tmp_path) == []


def test_a_request_under_way_is_answered_before_the_end(start, tmp_path, upstream):
    instance = upstream()
    asked_to_stop = []
    plain = instance.answer
    instance.answer = lambda seen: eventually(lambda: asked_to_stop) and plain(seen)
    running = start()
    running.file.write_text(f'[services]\norders = ["127.0.0.1:{instance.port}"]\n')
    running.wait_until_serving()
    eventually(lambda: "127.0.0.1" in (tmp_path / "run" / "nginx" / "nginx.conf").read_text())
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(b"GET /api/orders/1 HTTP/1.1\r\nHost: souk\r\nConnection: close\r\n\r\n")
        eventually(lambda: instance.seen)
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: not running.door.workers())
        asked_to_stop.append(True)
        with client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
    assert running.result() == (0, "")


def test_a_new_watcher_takes_over_the_nginx_of_a_killed_one(start, tmp_path, upstream):
    running = start().wait_until_serving()
    master = running.nginx_pid()
    assert running.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert running.door.ask("/api/orders/1").status == 503  # nginx goes on without its watcher
    second = start(GATEWAY_PORT=str(running.port)).wait_until_serving()
    assert second.nginx_pid() == master
    instance = upstream()
    second.file.write_text(f'[services]\norders = ["127.0.0.1:{instance.port}"]\n')
    eventually(lambda: second.door.ask("/api/orders/1").status == 200)
    assert second.end() == (0, "")
    assert nginx_processes(tmp_path) == []


@pytest.mark.parametrize("adopted", [False, True])
def test_when_nginx_is_killed_the_gateway_ends_with_status_1_and_frees_the_port(start, tmp_path, adopted):
    running = start().wait_until_serving()
    if adopted:
        running.end(signal.SIGKILL)
        running = start(GATEWAY_PORT=str(running.port)).wait_until_serving()
    os.kill(running.nginx_pid(), signal.SIGKILL)
    assert running.result()[0] == 1
    assert nginx_processes(tmp_path) == []
    again = start(GATEWAY_PORT=str(running.port)).wait_until_serving()
    assert again.end() == (0, "")


def test_workers_whose_master_and_watcher_were_killed_do_not_hold_the_port(start):
    running = start().wait_until_serving()
    running.end(signal.SIGKILL)
    os.kill(running.nginx_pid(), signal.SIGKILL)
    again = start(GATEWAY_PORT=str(running.port)).wait_until_serving()
    assert again.end() == (0, "")


def test_a_port_that_another_program_holds_is_one_clear_line(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, errors = start(GATEWAY_PORT=str(port)).result()
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert f"127.0.0.1:{port}" in errors and "GATEWAY_PORT" in errors


def test_without_nginx_one_line_says_what_to_install(start):
    code, errors = start(NGINX_BIN="/nowhere/nginx").result()
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "install nginx" in errors


@pytest.mark.parametrize(("name", "value"), [("DISCOVERY_URL", "nonsense"), ("FLEET_FILE", "/nowhere/fleet.toml")])
def test_wrong_settings_are_named(start, name, value):
    code, errors = start(**{name: value}).result()
    assert code == 2
    assert value in errors


def test_a_second_gateway_for_the_same_folder_is_refused(start):
    running = start().wait_until_serving()
    code, errors = start().result()
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "another gateway" in errors
    assert running.door.ask("/").status == 503


def test_a_registered_instance_is_reached_and_one_that_left_is_not(start, tmp_path, upstream):
    with start_registry(tmp_path / "registry") as registry:
        url = f"consul://127.0.0.1:{registry.port}"
        discovery = make_discovery(url)
        running = start(DISCOVERY_URL=url).wait_until_serving()
        instance = upstream()
        registration = Registration(f"orders-{instance.port}", "orders", "127.0.0.1", instance.port, ttl_s=60)
        discovery.register(registration)
        eventually(lambda: running.door.served_by("/api/orders/1") == str(instance.port))
        registry.stop()
        assert running.door.ask("/api/orders/1").status == 200
        with start_registry(tmp_path / "registry", port=registry.port):
            discovery.register(registration)
            discovery.deregister(registration.id)
            eventually(lambda: running.door.ask("/api/orders/1").status == 503, 20)
        assert running.end() == (0, "")
