"""`make compose-up` says in one line what is in the way, and leaves nothing half-started. `docker` is a fake here."""

import json
import os
import socket
import subprocess
import sys

import pytest

from deploy.compose.commands import PROJECT

FAKE = """#!/bin/sh
echo "$*" >> "$FAKE/asked"
fail() { echo "$1" >&2; exit 1; }
case "$*" in
    "version "*) [ -s "$FAKE/engine" ] || fail "Cannot connect to the Docker daemon."; cat "$FAKE/engine" ;;
    "compose version "*) [ -s "$FAKE/compose" ] || fail "docker: no such command: compose"; cat "$FAKE/compose" ;;
    "compose config "*) [ ! -s "$FAKE/config" ] || { cat "$FAKE/config" >&2; exit 15; }; cat "$FAKE/services" ;;
    *" ps "*) cat "$FAKE/containers" ;;
    *" build "*) [ ! -e "$FAKE/build-fails" ] ;;
    *" up "*) mv "$FAKE/after" "$FAKE/containers"; [ ! -e "$FAKE/up-fails" ] || { cat "$FAKE/up-fails" >&2; exit 1; } ;;
    "logs "*) cat "$FAKE/logs" ;;
    "inspect "*) echo 2 ;;
esac
"""


def container(service, state="running", health="healthy", code=0, publishers=()):
    names = {"ID": service, "Service": service}
    return names | {"State": state, "Health": health, "ExitCode": code, "Publishers": list(publishers)}


class Fake:
    """A Docker that says what a test has written down, and notes what it was asked."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "docker").write_text(FAKE)
        (self.bin / "docker").chmod(0o755)
        self.write(engine="20.10.24", compose="2.26.1", config="", logs="", asked="", services="orders\nregistry\n")
        self.containers()
        self.after(container("orders"), container("secrets", "exited", ""))

    def write(self, **files):
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def containers(self, *found):
        self.write(containers="".join(json.dumps(one) + "\n" for one in found))

    def after(self, *found):
        """What is there once `docker compose up` has been called."""
        self.write(after="".join(json.dumps(one) + "\n" for one in found))

    def run(self, command="up", **environ):
        """(exit status, the lines of the standard error) of the real command."""
        path = f"{self.bin}:/usr/bin:/bin"
        env = {"PATH": path, "FAKE": str(self.folder), "GATEWAY_PORT": free(), "REGISTRY_PORT": free(), **environ}
        words = [sys.executable, "-m", "deploy.compose", command]
        done = subprocess.run(words, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr.splitlines()

    @property
    def asked(self):
        return (self.folder / "asked").read_text()


def free():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture
def fake(tmp_path):
    return Fake(tmp_path)


def refused(fake, **environ):
    """The one line; nothing may have been started."""
    code, lines = fake.run(**environ)
    assert code == 1
    assert len(lines) == 1
    assert " up " not in fake.asked
    return lines[0]


def test_when_all_is_well_it_says_where_the_shop_is(fake):
    code, lines = fake.run()
    assert (code, lines) == (0, [])
    assert " up --detach" in fake.asked
    assert "down" not in fake.asked


def test_without_docker(fake):
    (fake.bin / "docker").unlink()
    line = refused(fake, PATH=str(fake.bin))
    assert line.startswith("compose-up: there is no `docker` here: install Docker Engine")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"engine": ""}, "no Docker Engine answers (Cannot connect to the Docker daemon.): start it"),
        ({"engine": "19.03.15"}, "Docker Engine 19.03.15 is too old: 20.10 or newer is needed"),
        (
            {"compose": ""},
            "no Docker Compose answers (docker: no such command: compose): install the Compose plugin",
        ),
        ({"compose": "v2.17.3"}, "Docker Compose v2.17.3 is too old: 2.26 or newer is needed"),
        ({"config": "services.x: wrong\n"}, "services.x: wrong"),
    ],
)
def test_an_engine_that_is_missing_or_too_old(fake, files, said):
    fake.write(**files)
    assert refused(fake).startswith(f"compose-up: {said}")


@pytest.mark.parametrize(
    ("engine", "compose"), [("28.2.2", "5.0.0"), ("20.10.0", "2.26.0"), ("29.0.0-rc.1", "v2.40.3")]
)
def test_newer_ones_do(fake, engine, compose):
    fake.write(engine=engine, compose=compose)
    assert fake.run()[0] == 0


@pytest.mark.parametrize("name", ["GATEWAY_PORT", "REGISTRY_PORT"])
def test_a_port_that_somebody_else_holds(fake, name):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        line = refused(fake, **{name: port})
    assert f"port {port} of 127.0.0.1 is not to be had (Address already in use)" in line
    assert f"set {name} to another one" in line


def test_a_port_that_this_project_holds_already_is_no_hindrance(fake):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ours = container("gateway", publishers=[{"PublishedPort": port}])
        fake.containers(ours)
        fake.after(ours)
        assert fake.run(GATEWAY_PORT=str(port))[0] == 0


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "80 80"])
def test_a_port_that_is_none(fake, port):
    assert "is not a port" in refused(fake, GATEWAY_PORT=port)


def test_two_ports_that_are_one(fake):
    port = free()
    assert "are the same" in refused(fake, GATEWAY_PORT=port, REGISTRY_PORT=port)


@pytest.mark.parametrize("services", ["orders", "orders\nregistry\nconsul"])
def test_no_registry_or_two(fake, services):
    fake.write(services=services)
    assert "COMPOSE_PROFILES must be `registry` or `consul`" in refused(fake)


def test_an_image_that_cannot_be_built(fake):
    (fake.folder / "build-fails").touch()
    assert "an image could not be built" in refused(fake)


def failed(fake, **environ):
    """The one line, of a start that failed half-way."""
    code, lines = fake.run(**environ)
    assert code == 1
    assert len(lines) == 1
    return lines[0]


FAILURES = [
    container("databases", "exited", "", code=2),
    container("rabbitmq", "running", "unhealthy"),
    container("orders", "restarting", ""),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: one["Service"])
@pytest.mark.parametrize("up_fails", [True, False])
def test_what_fails_is_named_with_its_own_words_and_all_is_stopped_again(fake, failure, up_fails):
    if up_fails:
        fake.write(**{"up-fails": "dependency failed to start\n"})
    fake.after(container("postgres"), failure)
    fake.write(logs="starting\nFATAL: no room\n\n")
    assert failed(fake) == f"compose-up: {failure['Service']} does not start: FATAL: no room"
    assert "down --remove-orphans" in fake.asked.splitlines()[-1]


def test_what_docker_itself_refuses_is_said_in_its_words(fake):
    fake.write(**{"up-fails": "Container x  Starting\nError response from daemon: no space left on device\n"})
    fake.after()
    assert failed(fake) == "compose-up: Error response from daemon: no space left on device"


def test_the_line_that_says_why_is_told_from_what_comes_after_it(fake):
    fake.after(container("rabbitmq", "running", "unhealthy"))
    fake.write(logs="BOOT FAILED\nerror: failed to open log file\n  links: [<0.1.0>]\n  messages: []\n")
    assert failed(fake) == "compose-up: rabbitmq does not start: error: failed to open log file"


def test_a_wrong_password_is_explained(fake):
    fake.after(container("databases", "exited", "", code=2))
    fake.write(logs='psql: error: FATAL:  password authentication failed for user "postgres"\n')
    line = failed(fake)
    assert "the data was made with another password" in line
    assert "docker compose down --volumes" in line


def test_a_system_that_ran_before_is_not_stopped_by_a_start_that_fails(fake):
    fake.containers(container("postgres"))
    fake.after(container("postgres"), container("databases", "exited", "", code=2))
    failed(fake)
    assert "down" not in fake.asked


def test_down_stops_whatever_profile_runs(fake):
    assert fake.run("down") == (0, [])
    assert "--profile * down --remove-orphans" in fake.asked


@pytest.mark.parametrize("words", [[], ["sideways"], ["up", "now"]])
def test_other_words_are_refused(words):
    command = [sys.executable, "-m", "deploy.compose", *words]
    done = subprocess.run(command, cwd=PROJECT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: python -m deploy.compose up | down\n")
