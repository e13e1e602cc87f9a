"""`souk experiment` as its user meets it. What needs no system gets a shop that answers by script."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rich.console import Console

from deploy.local import laboratory
from loadtests.lab.columns import Columns
from loadtests.lab.errors import NotHere
from loadtests.lab.runner import Outcome
from loadtests.lab.system import System
from loadtests.lab.target import ask
from loadtests.tests.fake_shop import FakeShop

SOUK = Path(sys.executable).with_name("souk")


def souk(*words):
    return subprocess.run([SOUK, "experiment", *words], capture_output=True, text=True, timeout=60, check=False)


def refused(done, *words):
    """It is exit code 2 and one line on stderr that has these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("souk: ")
    for word in words:
        assert word in line
    return True


@contextmanager
def running(*words):
    """`souk experiment run`, in a process group of its own, as a shell starts it."""
    process = subprocess.Popen(
        [SOUK, "experiment", "run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until_it_says(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {process.stderr.read()}")


def summary_in(results):
    (folder,) = results.iterdir()
    return folder, json.loads((folder / "summary.json").read_text())


def test_the_list_names_each_with_its_question():
    done = souk("list")
    assert done.returncode == 0
    assert "baseline" in done.stdout


def test_an_unknown_experiment_is_refused_and_the_known_ones_are_named(tmp_path):
    assert refused(souk("run", "dance", "--results", str(tmp_path)), "dance", "baseline")


def test_no_results_and_broken_ones_are_not_published(tmp_path):
    assert refused(souk("publish", "--results", str(tmp_path)), "no results in", "souk experiment run NAME")
    (tmp_path / "summary.json").write_text("{")
    assert refused(souk("publish", str(tmp_path)), "summary.json is broken")


def test_a_pace_for_what_has_none_is_refused(tmp_path):
    assert refused(souk("run", "scale-out", "--pace", "0.5", "--results", tmp_path), "scale-out takes no --pace")


def test_what_needs_a_network_that_can_be_cut_is_refused_for_processes(tmp_path):
    assert refused(souk("run", "partition", "--results", str(tmp_path)), "partition", "network", "--runtime compose")
    assert not list(tmp_path.iterdir())


def test_without_an_engine_containers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    done = souk("run", "replica-killed", "--runtime", "compose", "--results", str(tmp_path))
    assert refused(done, "no Docker engine answers at unix:///nowhere/docker.sock")
    assert not list(tmp_path.iterdir())


def test_of_all_experiments_those_that_need_more_are_left_out_and_judge_nothing(capsys):
    class Session:
        def run(self, one):
            if one.name == "two":
                raise NotHere("two needs a broom")
            return Outcome(one.name, "pass", "all is well", Path())

    chosen = [SimpleNamespace(name=name) for name in ("one", "two", "three")]
    found = laboratory._run_each(chosen, Session(), laboratory._Counter(3), Console())
    assert [outcome.name for outcome in found] == ["one", "three"]
    assert "two: left out: two needs a broom" in capsys.readouterr().out
    with pytest.raises(NotHere):
        laboratory._run_each(chosen[1:2], Session(), laboratory._Counter(1), Console())


def test_a_name_or_all_has_to_be_given():
    assert refused(souk("run"), "--all")
    assert refused(souk("run", "baseline", "--all"), "--all")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "shop", "http://[x"])
def test_a_target_that_does_not_answer_is_refused(tmp_path, address):
    assert refused(souk("run", "baseline", "--target", address, "--results", str(tmp_path)), address)
    assert not list(tmp_path.iterdir())


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with FakeShop().served() as url:
        done = souk("run", "baseline", "--target", url, "--results", str(tmp_path / "file" / "results"))
    assert refused(done, "--results", str(tmp_path / "file"))


def test_an_interruption_is_one_line_and_keeps_what_was_measured(tmp_path):
    words = ("baseline", "--quick", "--results", str(tmp_path))
    with FakeShop().served() as url, running(*words, "--target", url) as process:
        until_it_says(process, "fresh_product alone")
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said == "souk: interrupted; the samples so far are kept\n"
    folder, summary = summary_in(tmp_path)
    assert (summary["verdict"], summary["why"]) == ("inconclusive", "interrupted")
    assert len(Columns.read(folder / "samples.csv.gz")) > 20


# ---- on systems of their own


@pytest.mark.system
@pytest.mark.xdist_group("laboratory")
def test_ctrl_c_in_the_middle_leaves_no_process_and_no_home(tmp_path):
    with running("baseline", "--quick", "--results", str(tmp_path)) as process:
        until_it_says(process, "idle")
        homes = {environment.get("SOUK_HOME") for environment in children_of(process.pid)} - {None}
        until_it_says(process, "page alone")
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted; the samples so far are kept" in said
    (home,) = homes
    assert not Path(home).exists()
    assert not [child for child in psutil.process_iter() if home in str(environment_of(child))]
    assert summary_in(tmp_path)[1]["arms"][0]["name"] == "idle"


def children_of(pid):
    return [environment_of(child) for child in psutil.Process(pid).children(recursive=True)]


def environment_of(process):
    try:
        return process.environ()
    except psutil.Error:
        return {}


@pytest.mark.system
@pytest.mark.xdist_group("laboratory")
def test_what_an_experiment_changed_is_put_back_when_it_breaks():
    system = System()
    try:
        system.up({})
        before = system._count()
        with pytest.raises(ZeroDivisionError), system.restored():
            system.scale(catalog=3)
            system.bank(latency_ms=700, away=True)
            system.fault("catalog", "error", rate=0.5)
            system.set("gateway/cache", "off")
            assert system._count()["catalog"] == 3
            assert json.loads(system._run("bank"))["away"] is True
            raise ZeroDivisionError
        assert system.settings is not None, "it was put back, and not only taken down"
        assert system._count() == before
        assert json.loads(system._run("bank")) == {
            "latency_ms": 0, "failure_rate": 0.0, "decline_rate": 0.0, "away": False, "answer_after_ms": 0
        }  # fmt: skip
        assert ask("GET", f"{system.registry}/v1/kv/souk/gateway/cache").status_code == 404
        answers = {ask("GET", f"{system.url}/api/catalog/products/SOUK-00000{n}").status_code for n in range(1, 9)}
        assert answers == {200}, "no fault is left"
    finally:
        system.close()
    assert not system.place.home.exists()
