"""What is refused in one line; what compose's file says of a service; that a fault ends however it is interrupted."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.compose import runtime
from deploy.compose.project import Project
from deploy.compose.runtime import Containers
from deploy.local.errors import Refused
from deploy.local.fleet import load_fleet
from deploy.local.settings import load

SOUK = Path(sys.executable).with_name("souk")
SERVICES = {
    "orders": {"restart": "unless-stopped"},
    "orders-migrate": {"restart": "no"},
    "secrets": {},
    "registry": {"restart": "unless-stopped", "ports": [{"target": 8500, "published": "18500"}]},
    "rabbitmq": {"restart": "unless-stopped"},
}


def refused(*words, **environ):
    """It is exit code 1 and one line on stderr; the line."""
    words = [SOUK, *words, "--runtime", "compose"]
    done = subprocess.run(words, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_without_docker_it_says_what_to_install(tmp_path):
    assert "there is no `docker` here" in refused("status", PATH=str(tmp_path))


def docker_that(tmp_path, script):
    """The PATH with a `docker` that does this, before all others."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_without_compose_it_says_what_to_install(tmp_path):
    path = docker_that(tmp_path, "echo \"Run 'docker --help' for more information\" >&2; exit 125")
    assert "this `docker` has no Compose: install its Compose plugin" in refused("status", PATH=path)


def test_without_an_engine_it_says_where_it_looked(tmp_path):
    path = docker_that(tmp_path, """echo '{"name": "shop", "services": {}}'""")
    line = refused("status", PATH=path, DOCKER_HOST="unix:///nowhere")
    assert "no Docker engine answers at unix:///nowhere" in line


def test_a_compose_file_that_is_none_is_one_line(tmp_path):
    path = docker_that(tmp_path, '[ "$2" = version ] || { echo "services must be a mapping" >&2; exit 15; }')
    assert "`docker compose config` ended with 15: services must be a mapping" in refused("audit", PATH=path)


def test_jobs_are_no_services_and_what_only_compose_has_comes_last_and_is_single():
    fleet = Project("shop", SERVICES).fleet(load_fleet(load({})))
    assert list(fleet.services) == ["registry", "orders", "rabbitmq"]
    assert fleet.get("rabbitmq").single
    assert not fleet.get("orders").single


def test_a_port_is_that_of_the_file():
    assert Project("shop", SERVICES).port("registry", 8500) == 18500
    assert Project("shop", SERVICES).port("orders", 8000) is None


class Engine:
    """One container, and what is done to it."""

    def __init__(self, paused=False):
        self.paused, self.done = paused, []

    def containers(self, project):
        return []

    def inspect(self, container):
        return {"State": {"Paused": self.paused}}

    def do(self, verb, container, **_):
        self.done.append(verb)
        self.paused = {"pause": True, "unpause": False}.get(verb, self.paused)


ROW = {"id": "orders-1", "container": "c"}


@pytest.fixture
def system(monkeypatch):
    monkeypatch.setattr(runtime, "time", SimpleNamespace(sleep=lambda _s: None))
    return Containers(Project("shop", SERVICES), Engine())


@pytest.fixture
def interrupted(monkeypatch):
    def sleep(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "time", SimpleNamespace(sleep=sleep))


@pytest.mark.parametrize(("fault", "verbs"), [("away", ["kill", "start"]), ("still", ["pause", "unpause"])])
def test_what_was_broken_is_mended_also_after_ctrl_c(system, interrupted, fault, verbs):
    with pytest.raises(KeyboardInterrupt):
        getattr(system, fault)(ROW, 5.0)
    assert system.engine.done == verbs


@pytest.mark.parametrize(
    ("name", "paused", "verbs"),
    [("KILL", False, ["kill", "start"]), ("KILL", True, ["unpause", "kill", "start"]), ("STOP", False, ["pause"]),
     ("CONT", True, ["unpause"])],
)  # fmt: skip
def test_a_signal_is_the_engines_verb(system, name, paused, verbs):
    system.engine.paused = paused
    system.signal(ROW, name)
    assert system.engine.done == verbs


def test_where_nothing_runs_it_names_the_project_and_what_starts_it(system):
    with pytest.raises(Refused, match=r"'shop' runs: start it with `make compose-up`, or set COMPOSE_PROJECT_NAME"):
        system.require_running()


def test_one_command_at_a_time_changes_a_project(system, monkeypatch, tmp_path):
    monkeypatch.setattr(runtime.tempfile, "tempdir", str(tmp_path))
    other = Containers(Project("shop", SERVICES), Engine())
    with system.lock(), pytest.raises(Refused, match="another souk command is at work"), other.lock():
        pass
