"""How an instance makes itself known, first to a registry of a few lines, then to the real one."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from chassis.discovery import make_discovery
from chassis.registration import Registrar, Registration
from chassis.testing import eventually
from chassis.tests.toy import Settings
from chassis.worker import make_registration

CATALOG = Registration("catalog-1", "catalog", "127.0.0.1", 4001, ["t"], {"version": "1", "prefix": "/api/catalog"})


class FewLines:
    """A registry in memory that can be away and can forget."""

    def __init__(self):
        self.known = {}
        self.away = False
        self.log = []

    def _note(self, what):
        self.log.append(what)
        if self.away:
            raise ConnectionRefusedError("away")

    def register(self, registration):
        self._note("register")
        self.known[registration.id] = registration

    def renew(self, id):
        self._note("renew")
        return id in self.known

    def deregister(self, id):
        self._note("deregister")
        self.known.pop(id, None)


@pytest.fixture
def registry():
    return FewLines()


@pytest.fixture
def registrar_for():
    """Makes registrars that are stopped after the test."""
    made = []

    def make(registry, registration=CATALOG, can_serve=lambda: True, renewal_s=0.02):
        made.append(Registrar(registry, registration, renewal_s, can_serve))
        made[-1].start()
        return made[-1]

    yield make
    for registrar in made:
        registrar.stop()


def test_it_registers_and_goes_on_renewing(registry, registrar_for):
    registrar_for(registry)
    eventually(lambda: registry.log.count("renew") >= 3)
    assert registry.log.count("register") == 1
    assert registry.known == {"catalog-1": CATALOG}


def test_it_renews_only_while_it_can_serve(registry, registrar_for):
    able = threading.Event()
    asked = []
    registrar_for(registry, can_serve=lambda: asked.append(1) or able.is_set())
    eventually(lambda: len(asked) >= 3)
    assert registry.log == []
    able.set()
    eventually(lambda: registry.log.count("renew") >= 2)
    able.clear()
    count = len(asked)
    eventually(lambda: len(asked) >= count + 2)
    renewals = len(registry.log)
    eventually(lambda: len(asked) >= count + 5)
    assert len(registry.log) == renewals


def test_a_failing_check_of_itself_does_not_end_the_renewals(registry, registrar_for, caplog):
    answers = iter([ZeroDivisionError])

    def can_serve():
        for error in answers:
            raise error
        return True

    registrar_for(registry, can_serve=can_serve)
    eventually(lambda: "renew" in registry.log)
    assert "could not be renewed" in caplog.text


def test_it_registers_anew_when_it_was_forgotten(registry, registrar_for):
    registrar_for(registry)
    eventually(lambda: registry.log.count("renew") >= 2)
    registry.known.clear()
    eventually(lambda: registry.known)


def test_it_tries_until_the_registry_is_there(registry, registrar_for, monkeypatch):
    monkeypatch.setattr("chassis.registration.RETRY_S", 0.02)
    registry.away = True
    registrar_for(registry)
    eventually(lambda: len(registry.log) >= 3)
    registry.away = False
    eventually(lambda: registry.known)


def test_leaving_is_final(registry, registrar_for):
    registrar = registrar_for(registry)
    eventually(lambda: registry.known)
    registrar.leave()
    registrar.leave()
    assert registry.known == {}
    registrar.stop()
    assert registry.log.count("deregister") == 1
    assert registry.log[-1] == "deregister"


def test_leaving_during_a_registration_comes_after_it(registrar_for):
    arrived, go_on = threading.Event(), threading.Event()

    class Slow(FewLines):
        def register(self, registration):
            arrived.set()
            assert go_on.wait(20)
            super().register(registration)

    registry = Slow()
    registrar = registrar_for(registry)
    assert arrived.wait(20)
    leaving = threading.Thread(target=registrar.leave)
    leaving.start()
    go_on.set()
    leaving.join()
    registrar.stop()
    assert registry.known == {}


def test_leaving_while_the_registry_is_away_raises_nothing(registry, registrar_for, caplog):
    registrar = registrar_for(registry)
    eventually(lambda: registry.known)
    registry.away = True
    registrar.leave()
    assert "could not deregister" in caplog.text


def test_stopping_leaves(registry, registrar_for):
    registrar = registrar_for(registry)
    eventually(lambda: registry.known)
    registrar.stop()
    assert registry.known == {}


# --- with the real registry


class RealRegistry:
    def __init__(self, home: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"consul://127.0.0.1:{self.port}"
        self.env = {**os.environ, "SOUK_HOME": str(home), "REGISTRY_PORT": str(self.port)}

    def start(self):
        command = [sys.executable, "-m", "registry", "serve"]
        self.process = subprocess.Popen(command, env=self.env, start_new_session=True, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def passing(self):
        url = f"http://127.0.0.1:{self.port}/v1/health/service/catalog?passing"
        return requests.get(url, timeout=10).json()

    def _answers(self):
        assert self.process.poll() is None, "the registry ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def real(tmp_path):
    registry = RealRegistry(tmp_path)
    registry.start()
    yield registry
    registry.kill()


@pytest.fixture
def discovery(real):
    discovery = make_discovery(real.url, renewal_s=5.0)  # doubts for longer than any test takes
    yield discovery
    discovery.close()


def replica(number, **fields):
    fields = {"ttl_s": 1.0, **fields}
    return Registration(f"catalog-{number}", "catalog", "127.0.0.1", 4000 + number, **fields)


def ids(discovery):
    return [instance.id for instance in discovery.instances("catalog")]


def test_a_registered_instance_is_seen_with_all_that_it_said(real, discovery, registrar_for):
    assert ids(discovery) == []
    registrar_for(discovery, Registration("c d", "catalog", "127.0.0.1", 4001, ["x"], {"version": "2"}, weight=3))
    eventually(lambda: ids(discovery))
    (seen,) = discovery.instances("catalog")
    assert (seen.url, seen.tags, seen.meta) == ("http://127.0.0.1:4001", ("x",), {"version": "2"})
    assert (seen.weight, seen.status) == (3, "passing")


def test_an_instance_registers_with_the_weight_of_its_settings():
    assert make_registration(Settings(weight=3), "toy-1", "127.0.0.1", 4001).weight == 3
    assert make_registration(Settings(), "toy-1", "127.0.0.1", 4001).weight == 1


def test_an_instance_registers_how_many_requests_it_works_on_at_once():
    assert make_registration(Settings(threads=3), "toy-1", "127.0.0.1", 4001).meta["threads"] == "3"


def test_one_that_leaves_is_gone_at_once_and_one_that_falls_silent_after_its_ttl(real, discovery, registrar_for):
    able = threading.Event()
    able.set()
    leaving = registrar_for(discovery, replica(1))
    registrar_for(discovery, replica(2, ttl_s=0.3), able.is_set)
    registrar_for(discovery, replica(3))
    eventually(lambda: ids(discovery) == ["catalog-1", "catalog-2", "catalog-3"])
    leaving.leave()
    eventually(lambda: "catalog-1" not in ids(discovery))
    able.clear()
    eventually(lambda: ids(discovery) == ["catalog-3"])
    able.set()
    eventually(lambda: ids(discovery) == ["catalog-2", "catalog-3"])


def test_when_all_fall_silent_the_last_list_stays(real, discovery, registrar_for):
    able = threading.Event()
    able.set()
    registrars = [registrar_for(discovery, replica(n, ttl_s=0.3), able.is_set) for n in (1, 2)]
    eventually(lambda: ids(discovery) == ["catalog-1", "catalog-2"])
    able.clear()
    eventually(lambda: real.passing() == [])
    fresh = make_discovery(real.url)
    assert [one.expired for one in fresh.instances("catalog")] == [True, True]  # it tries what there is
    fresh.close()
    eventually(lambda: ids(discovery) == ["catalog-1", "catalog-2"])
    for registrar in registrars:
        registrar.leave()
    eventually(lambda: ids(discovery) == [])


def test_a_killed_registry_returns_empty_and_nobody_is_lost(real, discovery, registrar_for):
    for number in (1, 2, 3):
        registrar_for(discovery, replica(number, ttl_s=10), renewal_s=0.2)
    seen = []
    discovery.watch("catalog", seen.append)
    everybody = ["catalog-1", "catalog-2", "catalog-3"]
    eventually(lambda: ids(discovery) == everybody)
    heard = len(seen)
    real.kill()
    assert ids(discovery) == everybody
    real.start()
    fresh = make_discovery(real.url)
    eventually(lambda: ids(fresh) == everybody)
    fresh.close()
    assert ids(discovery) == everybody
    assert len(seen) == heard


def test_key_value_pairs_of_the_real_registry_are_seen(real, discovery):
    seen = []
    discovery.watch_kv("souk/gateway/", seen.append)
    eventually(lambda: seen == [{}])
    url = f"http://127.0.0.1:{real.port}/v1/kv/souk/gateway/cache"
    assert requests.put(url, data="off", timeout=10).text.strip() == "true"
    eventually(lambda: seen[-1] == {"souk/gateway/cache": "off"})
