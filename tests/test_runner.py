"""The runner as its user meets it, with a fleet of toys: real processes, real crashes, the real command line."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local.tests.toys import make_toys

pytestmark = pytest.mark.system
SOUK = [sys.executable, "-c", "from deploy.local.cli import app; app()"]
PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60


class Souk:
    """A system of toys in a folder of its own, driven by the command line."""

    def __init__(self, folder, home=None, **env):
        self.toys = make_toys(folder / "toys")
        self.started = []
        self.home = home or folder / "home"
        self.gateway_port, self.registry_port = free_port(), free_port()
        self.env = {**os.environ, **env}
        self.env |= {
            "SOUK_HOME": str(self.home),
            "SERVICES_DIR": str(self.toys),
            "PYTHONPATH": str(self.toys),
            "GATEWAY_PORT": str(self.gateway_port),
            "REGISTRY_PORT": str(self.registry_port),
        }

    def start(self, *words, **env):
        process = subprocess.Popen(
            [*SOUK, *words],
            env={**self.env, **env},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self):
        """Leave nothing behind, also when a test has failed in the middle of a command."""
        for process in self.started:
            if process.poll() is None:
                for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                    with suppress(psutil.Error):
                        each.kill()  # a child that lived on would hold the pipe that we read to its end
            process.communicate()
        self.run("down")
        assert self.processes() == []

    def run(self, *words, **env):
        process = self.start(*words, **env)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def ok(self, *words, **env):
        done = self.run(*words, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def instances(self, service=None):
        rows = json.loads(self.ok("status", "--json").stdout)["instances"]
        return [row for row in rows if service in (None, row["service"])]

    def pids(self, service=None):
        return [row["pid"] for row in self.instances(service)]

    def until_passing(self, service, without=()):
        """Wait until all replicas of a service pass and none has one of the pids; returns them."""
        found = []

        def settled():
            found[:] = self.instances(service)
            return found and all(r["health"] == "passing" and r["pid"] not in without for r in found)

        until(settled, lambda: found)
        return found

    def processes(self):
        """Every process that this system has started, found by its command line or its marker."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                marked = process.environ().get("SOUK_FLEET") == str(self.home)
                if marked or str(self.gateway_port) in process.cmdline():
                    found.append(process)
        return found

    def supervisor_pid(self):
        return json.loads((self.home / "run" / "system.json").read_text())["pid"]


def free_port():
    """A port below those that the kernel gives to others."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(condition, explain=lambda: ""):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)


def gone(pids):
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)


@pytest.fixture
def souk(tmp_path):
    system = Souk(tmp_path)
    yield system
    system.end()


def environment_of(row):
    with urllib.request.urlopen(f"http://127.0.0.1:{row['port']}/", timeout=10) as answer:
        return json.load(answer)["env"]


def test_a_system_comes_up_once_and_leaves_nothing(souk):
    assert "Souk does not run" in souk.ok("status").stdout
    assert "Souk does not run" in souk.ok("down").stdout
    souk.ok("up", "--detach")
    document = json.loads(souk.ok("status", "--json").stdout)
    assert document["gateway"] == f"http://127.0.0.1:{souk.gateway_port}"
    assert document["registry"] == f"http://127.0.0.1:{souk.registry_port}"
    rows = document["instances"]
    assert [row["service"] for row in rows] == ["registry", "gateway", "apples", "pears"]
    assert {row["health"] for row in rows} == {"passing"}
    for row in rows:
        assert set(row) == {"service", "id", "pid", "address", "port", "health", "uptime_s", "pss_bytes"}
        assert row["pss_bytes"] > 1_000_000
        assert row["uptime_s"] > 0
        assert os.getpgid(row["pid"]) == row["pid"]
    env = environment_of(rows[2])
    assert json.loads(env["EVENT_ROUTES"]) == {"pear.eaten": ["apples", "pears"], "apple.eaten": ["pears"]}

    again = souk.ok("up", "--detach")
    assert "runs already" in again.stdout
    assert souk.pids() == [row["pid"] for row in rows]

    assert "stopped" in souk.ok("down").stdout
    assert souk.processes() == []
    assert sorted(entry.name for entry in (souk.home / "run").iterdir()) == ["souk.lock", "supervisor.lock"]
    assert "left gracefully" in (souk.home / "logs" / "apples-1.log").read_text()
    prepared = (souk.home / "data" / "prepared.txt").read_text()
    souk.ok("up", "--detach")
    assert (souk.home / "data" / "prepared.txt").read_text() == prepared


def test_a_crashed_process_comes_back_and_so_does_one_that_stands_still(souk):
    souk.ok("up", "--detach")
    before = souk.pids()
    (apples,) = souk.pids("apples")
    assert str(apples) in souk.ok("kill", "apples").stdout
    (pears,) = souk.pids("pears")
    souk.ok("kill", "pears", "--signal", "STOP")
    # nginx alone survives a death of the gateway's leader, and would keep its port.
    (gateway,) = souk.pids("gateway")
    os.kill(gateway, signal.SIGKILL)
    souk.until_passing("apples", without=[apples])
    souk.until_passing("pears", without=[pears])
    souk.until_passing("gateway", without=[gateway])
    assert gone([apples, pears, gateway])
    assert souk.pids("registry") == [before[0]]


def test_a_short_stop_is_no_death(souk):
    souk.ok("up", "--detach", LIVENESS_S="30")
    (pid,) = souk.pids("pears")
    assert "stood still for 1 s" in souk.ok("kill", "pears", "--for", "1").stdout
    assert souk.pids("pears") == [pid]
    assert souk.run("kill", "pears", "--signal", "CONT", "--for", "1").returncode == 2
    assert souk.run("kill", "pears", "--instance", "pears-9").returncode == 1
    # One that stands still hears that it has to leave, and leaves gracefully.
    souk.ok("kill", "pears", "--signal", "STOP")
    souk.ok("down")
    assert "left gracefully" in (souk.home / "logs" / "pears-1.log").read_text()


def test_a_replica_can_be_dead_for_a_while(souk):
    souk.ok("up", "--detach")
    (pid,) = souk.pids("pears")
    with subprocess.Popen(["sleep", "60"]) as now:  # the clock of start times is up to a second beside time.time()
        began = psutil.Process(now.pid).create_time()
        now.kill()
    assert "away for 2 s" in souk.ok("kill", "pears", "--signal", "KILL", "--for", "2").stdout
    (row,) = souk.until_passing("pears", without=[pid])
    assert gone([pid])
    assert psutil.Process(row["pid"]).create_time() >= began + 1.99


@pytest.mark.parametrize("who", ["everything", "the supervisor alone"])
def test_what_a_crash_leaves_behind_is_found_and_ended(souk, who):
    souk.ok("up", "--detach")
    old = souk.pids()
    (gateway,) = souk.pids("gateway")
    child = psutil.Process(gateway).children()[0].pid
    leaders = old if who == "everything" else []
    for pid in [souk.supervisor_pid(), *leaders]:
        os.kill(pid, signal.SIGKILL)
    assert "processes of an earlier run are left" in souk.ok("status").stdout
    done = souk.ok("up", "--detach")
    assert "of an earlier run" in done.stderr
    assert gone([*old, child])
    assert set(souk.pids()).isdisjoint(old)

    for pid in [souk.supervisor_pid(), *souk.pids()]:
        os.kill(pid, signal.SIGKILL)
    assert "stopped" in souk.ok("down").stdout
    assert souk.processes() == []


def test_a_process_that_does_not_start_is_named_and_nothing_stays(souk):
    done = souk.run("up", "--detach", APPLES__CRASH="1")
    assert done.returncode == 1
    assert "apples-1 does not start (exit code 3)" in done.stderr
    assert "no such colour: mauve" in done.stderr
    assert "Traceback" not in done.stderr
    assert souk.processes() == []


def test_a_failed_migration_stops_the_start(souk):
    done = souk.run("up", "--detach", BROKEN_MIGRATION="1")
    assert done.returncode == 1
    assert "the table is on fire" in done.stderr
    assert souk.processes() == []


@pytest.mark.parametrize("setting", ["GATEWAY_PORT", "REGISTRY_PORT"])
def test_a_taken_port_is_said_before_anything_starts(souk, setting):
    with socket.create_server(("127.0.0.1", int(souk.env[setting]))):
        done = souk.run("up", "--detach")
    assert done.returncode == 1
    assert f"port {souk.env[setting]} is taken" in done.stderr
    assert setting in done.stderr
    assert not (souk.home / "logs" / "supervisor.log").exists()


def test_two_starts_at_once_make_one_system(souk):
    starts = [souk.start("up", "--detach") for _ in range(2)]
    answers = [start.communicate(timeout=100) for start in starts]
    codes = sorted(start.returncode for start in starts)
    assert codes[0] == 0
    assert codes == [0, 0] or any("another souk command is at work" in err for _, err in answers), answers
    assert len(souk.pids()) == 4


def test_scaling_and_restarting_lose_no_request(souk):
    souk.ok("up", "--detach", DRAIN_S="2")
    failures, served, stop = [], [], threading.Event()

    def shop():
        while not stop.is_set():
            try:
                ports = registered(souk, "apples")
                url = f"http://127.0.0.1:{ports[len(served) % len(ports)]}/"
                with urllib.request.urlopen(url, timeout=20) as answer:
                    served.append(answer.status)
            except Exception as error:
                failures.append(error)

    shopper = threading.Thread(target=shop)
    shopper.start()
    try:
        souk.ok("scale", "apples=3", "pears=2")
        assert (len(souk.pids("apples")), len(souk.pids("pears"))) == (3, 2)
        three = souk.pids("apples")
        souk.ok("scale", "apples=1", "pears=0")
        (left,) = souk.pids("apples")
        assert left in three
        assert souk.pids("pears") == []
        souk.ok("restart", "apples")
        (fresh,) = souk.pids("apples")
        assert fresh not in three
    finally:
        stop.set()
        shopper.join()
    assert failures == []
    assert served


def test_what_is_single_is_not_scaled_and_restarts_in_its_place(souk):
    souk.ok("up", "--detach")
    single = souk.run("scale", "gateway=2")
    assert (single.returncode, "is single" in single.stderr) == (2, True)
    (old,) = souk.pids("gateway")
    souk.ok("restart", "gateway")
    (row,) = souk.instances("gateway")
    assert (row["health"], row["port"]) == ("passing", souk.gateway_port)
    assert row["pid"] != old


def registered(souk, service):
    url = f"http://127.0.0.1:{souk.registry_port}/v1/agent/services"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return [row["Port"] for row in json.load(answer).values() if row["Service"] == service]


def test_a_replica_that_does_not_start_is_taken_back(souk):
    souk.ok("up", "--detach")
    (souk.toys / "apples" / "__main__.py").write_text("raise SystemExit('worm inside')")
    before = souk.pids("apples")
    done = souk.run("restart", "apples")
    assert done.returncode == 1
    assert "worm inside" in done.stderr
    assert souk.pids("apples") == before


def test_a_crash_loop_is_damped_and_goes_on_until_it_is_mended(souk):
    souk.ok("up", "--detach")
    main, log = souk.toys / "apples" / "__main__.py", souk.home / "logs" / "apples-1.log"
    good = main.read_text()
    main.write_text("import time\nraise SystemExit(f'worm {time.monotonic()}')")
    souk.ok("kill", "apples")

    def starts():
        return [float(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("worm")]

    until(lambda: len(starts()) >= 4)
    *_, third, fourth = starts()[:4]
    assert fourth - third >= 1
    main.write_text(good)
    souk.until_passing("apples")


def test_another_registry_takes_the_place_of_ours(souk, tmp_path):
    port = free_port()
    env = {**souk.env, "REGISTRY_PORT": str(port)}
    other = subprocess.Popen([sys.executable, "-P", "-m", "registry"], env=env)
    try:
        url = f"consul://127.0.0.1:{port}"
        until(lambda: answers(port))
        souk.ok("up", "--detach", DISCOVERY_URL=url)
        rows = souk.instances()
        assert [row["service"] for row in rows] == ["gateway", "apples", "pears"]
        assert {row["health"] for row in rows} == {"passing"}
        # Later commands need not be told again.
        souk.ok("set", "gateway/cache", "off")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/kv/souk/gateway/cache", timeout=20) as answer:
            assert answer.read() == b"off"
        souk.ok("down")
    finally:
        other.kill()
        other.wait()


def answers(port):
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status/leader", timeout=5):
        return True
    return False


def test_the_registry_may_die_while_the_others_go_on(souk):
    souk.ok("up", "--detach")
    before = souk.pids("apples")
    (registry,) = souk.pids("registry")
    souk.ok("kill", "registry")
    souk.until_passing("registry", without=[registry])
    assert souk.until_passing("apples")[0]["pid"] == before[0]


def test_a_deep_home_works(tmp_path):
    deep = Souk(tmp_path, home=tmp_path / ("deep" * 25) / "home")
    try:
        deep.ok("up", "--detach")
        assert len(deep.pids()) == 4
    finally:
        deep.end()
    from deploy.local.home import Home

    assert not Home(deep.home).sockets.exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_ends_everything(souk, signum):
    process = souk.start("up")
    until(lambda: process.poll() is not None or ((souk.home / "run").exists() and len(passing(souk)) == 4))
    line = ""
    while "Ctrl-C" not in line:
        line = process.stdout.readline()
        assert line or process.poll() is None
    process.send_signal(signum)
    process.communicate(timeout=100)
    assert process.returncode == 0
    assert souk.processes() == []


def test_in_the_foreground_a_dead_supervisor_takes_everything_down(souk):
    process = souk.start("up")
    until(lambda: process.poll() is not None or len(passing(souk)) == 4)
    os.kill(souk.supervisor_pid(), signal.SIGKILL)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "the supervisor has died" in err
    assert souk.processes() == []


def passing(souk):
    return [row for row in souk.instances() if row["health"] == "passing"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(souk, signum):
    process = souk.start("up", "--detach", PEARS__DELAY_S="600")
    until(lambda: (souk.home / "run" / "system.json").exists())
    process.send_signal(signum)
    process.communicate(timeout=100)
    assert process.returncode == 1
    assert souk.processes() == []


def test_a_system_whose_folder_was_removed_can_still_be_stopped(souk):
    souk.ok("up", "--detach")
    shutil.rmtree(souk.home)
    assert "stopped" in souk.ok("down").stdout
    assert souk.processes() == []


def test_reset_wipes_a_home_and_nothing_else(souk, tmp_path):
    souk.ok("up", "--detach")
    assert souk.run("reset").returncode == 1
    assert souk.pids()
    foreign = souk.home / "thesis.tex"
    foreign.touch()
    refused = souk.run("reset", "--yes")
    assert (refused.returncode, "thesis.tex" in refused.stderr) == (1, True)
    assert souk.pids()
    foreign.unlink()
    souk.ok("reset", "--yes")
    assert not souk.home.exists()
    assert souk.processes() == []


def test_commands_for_a_running_system_say_so_when_there_is_none(souk):
    for words in (["scale", "apples=2"], ["kill", "apples"], ["set", "a", "b"], ["token", "x"], ["events", "list"]):
        done = souk.run(*words)
        assert done.returncode == 1
        assert "does not run" in done.stderr
        assert "souk up" in done.stderr


def test_a_supervisor_that_stands_still_is_brought_down_too(souk):
    souk.ok("up", "--detach", STOP_TIMEOUT_S="1")
    os.kill(souk.supervisor_pid(), signal.SIGSTOP)
    stuck = souk.run("scale", "apples=2")
    assert (stuck.returncode, "does not answer" in stuck.stderr) == (1, True)
    souk.ok("down")
    assert souk.processes() == []


TOY_APP = """
from flask import Flask
def create_app(settings):
    app = Flask(__name__)
    app.get("/readyz", endpoint="ready")(lambda: "ready")
    app.get("/", endpoint="colour")(lambda: {"colour": "red"})
    return app
"""
TOY_SETTINGS = """
class Settings:
    load = staticmethod(lambda: None)
"""


def test_a_service_under_development_takes_the_place_of_its_replicas(souk):
    (souk.toys / "apples" / "settings.py").write_text(TOY_SETTINGS)
    (souk.toys / "apples" / "app.py").write_text(TOY_APP)
    souk.ok("up", "--detach")
    souk.ok("scale", "apples=2")
    process = souk.start("dev", "apples")
    try:
        until(lambda: process.poll() is not None or souk.pids("apples") == [])
        assert process.poll() is None, process.communicate()
        until(lambda: len(registered(souk, "apples")) == 1)
        (port,) = registered(souk, "apples")
        assert colour(port) == "red"
        (souk.toys / "apples" / "app.py").write_text(TOY_APP.replace("red", "green"))
        until(lambda: colour(port) == "green")
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert len(souk.until_passing("apples")) == 2
    assert port not in registered(souk, "apples")


def colour(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            return json.load(answer)["colour"]
    except OSError:
        return "none, it is being reloaded"


def test_what_cannot_be_developed_is_refused(souk):
    souk.ok("up", "--detach")
    assert souk.run("dev", "gateway").returncode == 2
    # The toys have no `create_app`, so it ends at once, and the replicas were not touched.
    before = souk.pids("apples")
    done = souk.run("dev", "apples")
    assert (done.returncode, "does not start" in done.stderr) == (1, True)
    assert souk.pids("apples") == before
