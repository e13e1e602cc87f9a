"""The laboratory's place in containers: settings for each service, what it lacks, and who uses the processor."""

import json
import os
import threading
import time

import pytest

from deploy.compose import laboratory
from deploy.compose.laboratory import ComposePlace
from deploy.compose.monitor import ContainerMonitor
from deploy.compose.project import Project
from deploy.local.errors import Refused
from loadtests.lab import experiment as experiments
from loadtests.lab.experiment import DATABASE, INSTANCES


class Engine:
    host, version, is_on_this_host = "unix:///there", "24.0", True


@pytest.fixture
def place(monkeypatch):
    monkeypatch.setattr(laboratory, "Engine", Engine)
    monkeypatch.setattr(laboratory, "read_project", lambda environ: Project(environ["COMPOSE_PROJECT_NAME"], {}))
    place = ComposePlace()
    yield place
    place._override.unlink()
    place.home.rmdir()


def environment_of(place, service):
    return json.loads(place._override.read_text())["services"][service]["environment"]


def test_it_is_a_project_of_its_own_with_the_repositorys_file_and_its_settings_beside_it(place):
    file, settings = place.environment["COMPOSE_FILE"].split(os.pathsep)
    assert file.endswith("/docker-compose.yml")
    assert settings.startswith(str(place.home))
    assert place.environment["COMPOSE_PROJECT_NAME"].startswith("souk-lab-")
    assert place.environment["GATEWAY_PORT"] in place.url


def test_settings_are_for_all_or_for_one_service_which_win(place):
    place.started_with({"EJECTION_S": "0", "THREADS": "4", "ORDERS__THREADS": "9"})
    assert environment_of(place, "gateway") == {"RATE_LIMIT_PER_S": "0", "EJECTION_S": "0", "THREADS": "4"}
    assert environment_of(place, "orders")["THREADS"] == "9"
    assert not [name for name in environment_of(place, "orders") if "__" in name]
    place.started_with({})
    assert environment_of(place, "orders") == {"RATE_LIMIT_PER_S": "0"}


def test_addresses_are_within_reach_only_where_the_engine_is_here(place, monkeypatch):
    assert place.lacks.keys() == {DATABASE}
    monkeypatch.setattr(Engine, "is_on_this_host", False)
    other = ComposePlace()
    assert other.lacks.keys() == {DATABASE, INSTANCES}
    other._override.unlink()
    other.home.rmdir()


def test_every_failure_experiment_can_be_run_in_containers_of_this_host(place):
    left_out = {one.name for one in experiments.every() if one.needs & place.lacks.keys()}
    assert left_out == {"contention"}


def test_nothing_is_left_where_there_is_no_engine(monkeypatch, tmp_path):
    def refused(_environ):
        raise Refused("no compose here")

    monkeypatch.setattr(laboratory, "Engine", Engine)
    monkeypatch.setattr(laboratory, "read_project", refused)
    monkeypatch.setattr(laboratory.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Refused, match="no compose here"):
        ComposePlace()
    assert not list(tmp_path.iterdir())


class Told:
    """An engine whose containers' processor times a test holds."""

    def __init__(self, **services):
        self.ids = {f"{number:012x}": service for number, service in enumerate(services, 1)}
        self.totals = dict(zip(self.ids, services.values(), strict=True))
        self.asked = threading.Event()

    def running(self, project):
        assert project == "shop"
        return list(self.ids.items())

    def processor_times(self, id):
        while True:
            yield self.totals[id]
            self.asked.set()
            time.sleep(0.005)

    def id_of(self, service):
        return next(id for id, name in self.ids.items() if name == service)


def looked(monitor):
    time.sleep(0.05)
    return monitor._used()


def test_time_that_containers_use_is_counted_by_service_and_from_zero_after_a_start():
    engine = Told(catalog=5.0, postgres=7.0, gateway=1.0)
    monitor = ContainerMonitor(engine, "shop", {})
    monitor._used()
    looked(monitor)
    engine.totals[engine.id_of("catalog")] = 5.5
    engine.totals[engine.id_of("postgres")] = 0.25  # it was started again
    used, leaders = looked(monitor)
    assert used["service:catalog"] == pytest.approx(0.5)
    assert used["postgres"] == pytest.approx(0.25)
    assert used["nginx"] == 0
    assert {subject: len(found) for subject, found in leaders.items()} == {"service:catalog": 1}
    used, _ = looked(monitor)
    assert used["service:catalog"] == 0
    monitor._over.set()
