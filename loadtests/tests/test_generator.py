"""The generator as a process, against a server that is told how to misbehave."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtests.tests.fake_shop import FakeShop
from loadtests.tests.test_openloop import serving

ROOT = Path(__file__).parents[2]


def start(tmp_path, url, *words):
    command = [sys.executable, "-m", "loadtests.generator", "--host", url, "--out", str(tmp_path / "out.csv"), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(tmp_path, url, *words):
    """What it says about itself, and its samples; its input stays open, so that the seconds decide."""
    with start(tmp_path, url, *words) as process:
        assert process.wait(60) == 0, process.stderr.read()
        *_, about = map(json.loads, process.stdout.read().splitlines())
    with (tmp_path / "out.csv").open(newline="") as file:
        return about, list(csv.DictReader(file))


CONSTANT = ("--arrivals", "constant", "--seconds", "1")


def test_every_request_of_an_open_loop_is_a_sample(tmp_path):
    with serving(lambda _number, _path, send: send(200)) as url:
        about, rows = run(tmp_path, url, "--rate", "40", "--mix", "page=1", *CONSTANT)
    assert about["requests"] == len(rows) == 40
    assert {(row["step"], row["status"], row["ok"]) for row in rows} == {("page", "200", "1")}


def test_latency_counts_from_when_it_was_due_while_the_server_stalls(tmp_path):
    """Ten requests fall due in the second in which nothing is answered: all of them must look slow."""
    stall_until = []

    def answer(number, _path, send):
        if number == 0:
            stall_until.append(time.monotonic() + 1.0)
        time.sleep(max(0.0, stall_until[0] - time.monotonic()))
        send(200)

    with serving(answer) as url:
        _, rows = run(tmp_path, url, "--rate", "10", "--mix", "page=1", *CONSTANT)
    assert sum(float(row["ended"]) - float(row["due"]) > 0.05 for row in rows) >= 8


def test_a_kept_connection_that_is_closed_is_tried_once_more_and_counted(tmp_path):
    def answer(number, _path, send):
        # Without a byte, and the connection had served before.
        return "close" if number % 5 == 3 else send(200, b'{"items": [], "state": "PENDING"}')

    with serving(answer) as url:
        _, rows = run(tmp_path, url, "--rate", "20", "--mix", "page=1,order=1", *CONSTANT)
    assert {row["ok"] for row in rows} == {"1"}
    assert {row["step"] for row in rows if row["resent"] == "1"} <= {"page", "order"}
    assert any(row["resent"] == "1" for row in rows)


def test_a_fresh_connection_that_is_closed_is_a_failure_and_not_hidden_by_repetitions(tmp_path):
    asked = []

    def answer(number, _path, _send):
        asked.append(number)
        return "close"

    with serving(answer) as url:
        _, rows = run(tmp_path, url, "--rate", "20", "--mix", "page=1", *CONSTANT)
    assert {(row["status"], row["ok"]) for row in rows} == {("0", "0")}
    assert len(asked) == len(rows) == 20


def test_another_body_than_asked_for_and_errors_are_failures(tmp_path):
    def answer(number, _path, send):
        send(*[(200, b"{}"), (500, b"{}"), (503, b"{}")][number % 3])

    with serving(answer) as url:
        _, rows = run(tmp_path, url, "--rate", "30", "--mix", "page=1", *CONSTANT)
    assert {row["error"] for row in rows} == {"the body is not what was asked for", "HTTP 500", "HTTP 503"}
    assert {row["ok"] for row in rows} == {"0"}


@pytest.mark.parametrize("how", [("--rate", "20"), ("--users", "3", "--think", "0.05")])
def test_both_loops_make_whole_visits_and_report_orders_that_settle(tmp_path, how):
    with FakeShop().served() as url:
        about, rows = run(tmp_path, url, *how, "--mix", "visit=1", "--seconds", "2")
    assert {"list products", "place the order", "order settles"} <= {row["step"] for row in rows}
    assert {row["ok"] for row in rows} == {"1"}
    assert about["requests"] == len(rows)


def test_the_same_seed_makes_the_same_journeys_whatever_comes_between(tmp_path):
    paths = []
    for _ in range(2):
        with FakeShop().served() as url:
            _, rows = run(tmp_path, url, "--rate", "30", "--mix", "visit=1,product=2", "--seed", "7", *CONSTANT)
        paths.append(sorted(row["step"] for row in rows if row["step"] != "follow the order"))
    assert paths[0] == paths[1]


@pytest.mark.parametrize("how", [("--rate", "5"), ("--users", "2")])
def test_the_end_of_its_input_ends_it(tmp_path, how):
    with serving(lambda _number, _path, send: send(200)) as url, start(tmp_path, url, *how) as process:
        assert "began" in process.stdout.readline()
        said, problems = process.communicate(timeout=60)
    assert process.returncode == 0, problems
    assert "late_p99_ms" in json.loads(said)


@pytest.mark.parametrize("words", [("--rate", "-1"), ("--rate", "1", "--mix", "dance=1"), ("--users", "0"), ()])
def test_wrong_options_are_2(tmp_path, words):
    with start(tmp_path, "http://127.0.0.1:1", *words) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in said
