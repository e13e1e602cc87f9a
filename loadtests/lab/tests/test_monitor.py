"""The monitor, over processes that carry the marks of a system, and one that does not."""

import itertools
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil

from loadtests.lab.monitor import Monitor

BURN = """
import sys, time
sys.stdin.readline()
began = time.process_time()
while time.process_time() - began < 0.3:
    pass
print("burnt", flush=True)
time.sleep(600)
"""


@contextmanager
def process(home=None, service=None):
    """A process that waits for a line, uses 0.3 s of CPU time, says so and sleeps."""
    marks = {"SOUK_FLEET": str(home)} if home else {}
    marks |= {"SOUK_SERVICE": service} if service else {}
    command = [sys.executable, "-c", BURN]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen(command, env=os.environ | marks, start_new_session=True, text=True, **pipes)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def used(rows, subject):
    """CPU seconds of a subject over all looks, from cores and the times between the looks."""
    looks = sorted({t for t, *_ in rows})
    spans = dict(zip(looks[1:], (b - a for a, b in itertools.pairwise(looks)), strict=True))
    return sum(value * spans.get(t, 0.0) for t, name, metric, value in rows if (name, metric) == (subject, "cpu_cores"))


def looks_until(monitor, children):
    """Look, let the children do their work, look again: none of it is done before the first look."""
    monitor._look()
    for child in children:
        print(file=child.stdin, flush=True)
    for child in children:
        child.stdout.readline()
    time.sleep(0.01)
    monitor._look()
    return monitor.rows


def test_cpu_time_is_that_of_the_service_whose_mark_a_process_carries(tmp_path):
    monitor = Monitor(tmp_path, {})
    with (
        process(tmp_path, "catalog") as one,
        process(tmp_path, "catalog") as two,
        process(tmp_path, "registry") as three,
    ):
        rows = looks_until(monitor, [one, two, three])
    assert used(rows, "service:catalog") >= 0.5
    assert used(rows, "registry") >= 0.25
    last = max(t for t, *_ in rows)
    assert {v for t, s, m, v in rows if (t, s, m) == (last, "service:catalog", "replicas")} == {2.0}


def test_another_systems_processes_are_nobodys(tmp_path):
    monitor = Monitor(tmp_path, {})
    with process(Path("/another/home"), "catalog") as stranger, process() as plain:
        rows = looks_until(monitor, [stranger, plain])
    assert {subject for _, subject, *_ in rows} == {"host"}


def test_the_generator_is_told_by_its_pid(tmp_path):
    with process() as generator:
        rows = looks_until(Monitor(None, {"generator": generator.pid}), [generator])
    assert used(rows, "generator") >= 0.25


def test_a_process_that_ends_between_two_looks_breaks_nothing(tmp_path):
    monitor = Monitor(tmp_path, {})
    with process(tmp_path, "catalog") as child:
        looks_until(monitor, [child])
    monitor._look()
    last = max(t for t, *_ in monitor.rows)
    assert {subject for t, subject, *_ in monitor.rows if t == last} == {"host"}


def test_it_looks_by_itself_while_it_is_open():
    with Monitor(None, {"laboratory": psutil.Process().pid}) as monitor:
        deadline = time.monotonic() + 20
        while not monitor.rows and time.monotonic() < deadline:
            time.sleep(0.05)
    assert {"host", "laboratory"} <= {subject for _, subject, *_ in monitor.rows}
    assert all(0 <= value <= 1.01 for _, _, metric, value in monitor.rows if metric == "cpu_share")
