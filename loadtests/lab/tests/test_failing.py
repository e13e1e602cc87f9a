"""Who notices a fault and when; faults at an exact moment; what an arm's fault cost."""

import json
import math
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import requests

from loadtests.experiments.retry_storm import _tries
from loadtests.lab import experiment as experiments
from loadtests.lab import failing
from loadtests.lab.errors import LoadBroke
from loadtests.lab.failing import arrivals_s, at_most, kill_now, outcome, pick, replicas, slowed, standing_still
from loadtests.lab.measured import Measured
from loadtests.lab.processes import Processes
from loadtests.lab.tests import synthetic
from loadtests.lab.verdict import Prediction
from loadtests.lab.watching import Watch, again, all_listed, back, left_out, logged, until

HERE = SimpleNamespace(place=Processes(Path("/nowhere")))


class Arm:
    """An arm that has run, or whose clock a test holds."""

    name = "an arm"

    def __init__(self, events=(), now_s=0.0):
        self.events, self.now_s = list(events), now_s

    def event(self, kind, what="", at_s=None):
        self.events.append((self.now_s if at_s is None else at_s, kind, what))

    def first(self, kind):
        return next((t for t, found, _ in self.events if found == kind), None)


def test_what_is_seen_first_becomes_an_event_of_its_own_moment():
    arm, seen = Arm(now_s=3.0), threading.Event()
    looks = iter([OSError("away"), False, True])

    def look():
        found = next(looks)
        if isinstance(found, OSError):
            raise found
        if found:
            seen.set()
        return found

    with Watch(arm, look, "it is there", period_s=0.001) as watch:
        assert seen.wait(30)
        until(lambda: watch.seen_s is not None, 30)
        arm.now_s = 9.0
    assert arm.events == [(3.0, "detected", "it is there")]
    assert watch.after(1.0) == 2.0


def test_what_is_seen_late_becomes_an_event_of_the_moment_at_which_it_happened(monkeypatch):
    monkeypatch.setattr("loadtests.lab.watching.time", SimpleNamespace(time=lambda: 1000.0))
    arm = Arm(now_s=3.0)
    with Watch(arm, lambda: 999.25, "it is there", period_s=0.001) as watch:
        threading.Event().wait(0.1)
    assert watch.after(0.0) == 2.25


def test_scaling_takes_as_long_as_replicas_need_and_not_as_the_system_that_had_to_start_first(monkeypatch):
    now = [0.0]

    class Lab:
        @property
        def system(self):
            now[0] += 100  # it starts
            return SimpleNamespace(scale=lambda **_: now.append(now.pop() + 2))

        def say(self, _what):
            pass

    monkeypatch.setattr(failing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(failing, "until", lambda *_: None)
    assert replicas(Lab(), catalog=3) == 2


def test_what_is_never_seen_is_no_event():
    arm = Arm()
    with Watch(arm, lambda: False, "never", period_s=0.001) as watch:
        pass
    assert not arm.events
    assert math.isnan(watch.after(0.0))


def test_an_instance_is_left_out_when_nginx_has_no_server_of_its_port(tmp_path):
    conf = tmp_path / "run" / "nginx" / "nginx.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("server 127.0.0.1:4001 weight=1;\nserver 127.0.0.1:40012 weight=1;\n")
    system = SimpleNamespace(place=Processes(tmp_path))
    assert not left_out(system, "catalog-127.0.0.1-4001")()
    assert left_out(system, "catalog-127.0.0.1-4002")()
    assert left_out(system, "catalog-127.0.0.1-400")()


def test_only_what_is_logged_from_now_on_counts(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "gateway-1.log").write_text(json.dumps({"event": "it fails"}) + "\n")
    look = logged(SimpleNamespace(place=Processes(tmp_path)), "gateway", "it fails")
    with (logs / "gateway-1.log").open("a") as log:
        log.write('no json\n["it fails"]\n{"event": "it works"}\n')
    assert not look()
    (logs / "gateway-2.log").write_text(json.dumps({"event": "it fails for /x"}) + "\n")
    assert look()


def test_one_that_is_named_does_not_count_as_listed():
    system = SimpleNamespace(healthy=lambda service: ["a", "b", "c"])
    assert all_listed(system, "catalog", 3)()
    assert all_listed(system, "catalog", 2, without="c")()
    assert not all_listed(system, "catalog", 3, without="c")()


def test_one_that_comes_back_under_its_old_id_has_to_have_been_away():
    answers = iter([True, ConnectionError(), False, True])

    def ask(_method, url, **_):
        assert url == "http://10.0.0.2:80/readyz"
        found = next(answers)
        if isinstance(found, ConnectionError):
            raise requests.ConnectionError
        return SimpleNamespace(ok=found)

    place = SimpleNamespace(keeps_ids=True, ask=ask)
    system = SimpleNamespace(place=place, healthy=lambda service: ["a", "b"])
    look = back(system, "catalog", 2, {"id": "b", "address": "10.0.0.2", "port": 80})
    assert [look() for _ in range(4)] == [False, False, False, True]


def test_one_that_gets_a_new_id_does_not_count_itself():
    system = SimpleNamespace(place=SimpleNamespace(keeps_ids=False), healthy=lambda service: ["a", "b"])
    assert not back(system, "catalog", 2, {"id": "b"})()
    assert back(system, "catalog", 2, {"id": "c"})()


def test_it_is_so_again_only_after_it_was_not():
    looks = iter([True, True, False, True])
    look = again(lambda: next(looks))
    assert [look() for _ in range(4)] == [False, False, False, True]


def test_patience_ends():
    with pytest.raises(TimeoutError, match=r"not within 0\.05 s"):
        until(lambda: False, 0.05)


def test_the_bound_of_one_arrival_is_that_of_an_exponential_time():
    assert arrivals_s(1, 1, 10.0, sure=0.99) == pytest.approx(-math.log(0.01) / 10)
    assert arrivals_s(3, 3, 90.0) > 9 / 90


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_stands_still_inside_the_block_and_goes_on_after_it(sleeper):
    state = psutil.Process(sleeper.pid).status
    with pytest.raises(ZeroDivisionError), standing_still(HERE, {"pid": sleeper.pid}):
        until(lambda: state() == psutil.STATUS_STOPPED, 30)
        raise ZeroDivisionError
    until(lambda: state() != psutil.STATUS_STOPPED, 30)


def test_a_process_is_killed_and_one_that_is_gone_is_no_error(sleeper):
    kill_now(HERE, {"pid": sleeper.pid})
    assert sleeper.wait(30) == -signal.SIGKILL
    kill_now(HERE, {"pid": sleeper.pid})


def test_an_instance_is_slow_inside_the_block_and_is_asked_with_a_token(tmp_path):
    heard = []

    class Instance(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(json.loads(body))

        def do_DELETE(self):
            self.answer("off")

        def answer(self, what):
            heard.append((self.path, what, self.headers["Authorization"].split(".")[0]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    keys = tmp_path / "service.keys"
    keys.write_text("k" * 40 + "\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Instance) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        row = {"id": "c", "service": "catalog", "address": "127.0.0.1", "port": server.server_address[1]}
        with pytest.raises(ZeroDivisionError), slowed(SimpleNamespace(keys=keys, place=HERE.place), row, 200):
            assert [what for _, what, _ in heard] == [{"name": "delay", "ms": 200}]
            raise ZeroDivisionError
        server.shutdown()
    assert [what for _, what, _ in heard] == [{"name": "delay", "ms": 200}, "off"]
    assert {path for path, *_ in heard} == {"/internal/faults"}
    assert all(token.startswith("Bearer ey") for *_, token in heard)


def test_the_replica_for_a_fault_is_a_healthy_one():
    rows = [{"id": "c", "pid": 3, "health": "passing"}, {"id": "b", "pid": 2, "health": "passing"},
            {"id": "a", "pid": 1, "health": "critical"}]  # fmt: skip
    assert pick(SimpleNamespace(instances=lambda service: rows), "catalog")["id"] == "b"
    with pytest.raises(LoadBroke, match="no instance of catalog"):
        pick(SimpleNamespace(instances=lambda service: []), "catalog")


def ran(step=None):
    """A lab whose arm has just ended, with a fault that hurt for 2 s."""
    samples = synthetic.samples(hurts_until=22.0)
    measured = Measured("an arm", 1, samples, [], 2.0, synthetic.LAST_S)
    lab = SimpleNamespace(measured=[measured], faults=[], checks=[])
    events = [(synthetic.BEGIN_S, "fault_begin", ""), (20.5, "detected", ""), (synthetic.END_S, "fault_end", "")]
    return lab, Arm(events)


def test_the_fault_of_an_arm_is_noted_with_its_recovery():
    lab, arm = ran()
    found = outcome(lab, arm, "something breaks")
    assert (found.fault.what, found.fault.detection_s, found.fault.recovery_s) == ("something breaks", 0.5, 2.0)
    assert lab.faults == [found.fault.as_dict()]
    assert arm.first("recovered") == 22.0
    assert found.trace.recovered_s == 22.0


def test_a_fault_can_be_judged_by_one_step():
    (lab, arm), (again, other) = ran(), ran()
    every, orders = outcome(lab, arm, "x"), outcome(again, other, "x", step="order")
    assert 0 < orders.fault.failed < every.fault.failed
    assert orders.fault.n_before < every.fault.n_before


def test_an_arm_without_a_fault_cannot_be_judged():
    lab, _ = ran()
    with pytest.raises(LoadBroke, match="nothing was broken"):
        outcome(lab, Arm(), "x")


@pytest.mark.parametrize(("measured", "passed"), [(0.9, True), (1.1, False), (None, None)])
def test_a_bound_is_kept_or_not_or_cannot_be_told(measured, passed):
    lab, _ = ran()
    at_most(lab, Prediction("within", 1.0, "s", "", "", {}, "", ""), measured)
    assert (lab.checks[0].passed, lab.checks[0].predicted, lab.checks[0].high) == (passed, 1.0, 1.0)


def test_tries_are_counted_from_the_gateways_log(tmp_path):
    place = Processes(tmp_path)
    log = tmp_path / "logs" / "gateway-access.log"
    log.parent.mkdir()
    before = json.dumps({"path": "/api/catalog/products", "upstream": "1.1.1.1:1"}) + "\n"
    rows = [{"path": "/api/catalog/products", "upstream": "127.0.0.1:1, 127.0.0.1:2 : 127.0.0.1:1"},
            {"path": "/api/catalog/products", "upstream": "127.0.0.1:1"},
            {"path": "/healthz", "upstream": ""}]  # fmt: skip
    log.write_text(before + "".join(json.dumps(row) + "\n" for row in rows) + '{"path": "/api/cat')
    assert _tries(place.access_log(len(before))) == 2.0


def test_every_experiment_asks_a_question_and_has_a_number_of_its_own():
    found = experiments.every()
    assert len({one.number for one in found}) == len(found)
    for one in found:
        assert one.question.endswith("?"), one.name
        assert len(one.title) < 80, one.name


def test_a_look_that_breaks_is_not_taken_for_one_that_saw_nothing():
    looked = threading.Event()

    def look():
        looked.set()
        raise TypeError("a mistake")

    watch = Watch(Arm(), look, "it is there", period_s=0.001)
    with pytest.raises(LoadBroke, match=r"whether it is there.*a mistake"), watch:
        assert looked.wait(30)
