"""The recorder: what a line says, and that nothing stays in memory."""

import csv
import gc
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadtests.recorder import Recorder

ROOT = Path(__file__).parents[2]


def fire(recorder, number=0, name="page", status=200, exception=None, **response):
    answer = SimpleNamespace(status_code=status, headers={"X-Served-By": f"catalog-{number % 3}"}, resent=0, **response)
    due = 1000.0 + number / 100
    context = {"due": due, "sent": due + 0.002}
    recorder.note(
        request_type="GET", name=name, response_time=4.0, response_length=9, response=answer, exception=exception,
        context=context, start_time=0.0, url="/",
    )  # fmt: skip


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_has_when_it_was_due_sent_and_answered_and_by_whom(tmp_path):
    with (tmp_path / "out.csv").open("w") as out:
        fire(Recorder(out), number=1)
    (row,) = lines(tmp_path / "out.csv")
    assert (row["due"], row["sent"], row["ended"]) == ("1000.010000", "1000.012000", "1000.016000")
    assert (row["step"], row["status"], row["ok"], row["instance"]) == ("page", "200", "1", "catalog-1")


def test_an_error_is_named_and_a_comma_or_a_line_break_in_it_breaks_no_column(tmp_path):
    with (tmp_path / "out.csv").open("w") as out:
        recorder = Recorder(out)
        fire(recorder, status=503, exception=RuntimeError("whatever"))
        fire(recorder, status=0, exception=OSError('connect, "refused"\nagain'))
    first, second = lines(tmp_path / "out.csv")
    assert (first["error"], first["ok"]) == ("HTTP 503", "0")
    assert second["error"] == 'OSError: connect, "refused" again'
    assert second["instance"] == "catalog-0"


def test_what_is_no_request_of_a_journey_is_a_line_too(tmp_path):
    with (tmp_path / "out.csv").open("w") as out:
        Recorder(out).note(name="order settles", response_time=250.0, context={}, exception=None)
    (row,) = lines(tmp_path / "out.csv")
    assert (row["step"], row["status"], row["ok"]) == ("order settles", "0", "1")
    assert float(row["ended"]) - float(row["due"]) == pytest.approx(0.25, abs=1e-5)


def test_fifty_thousand_requests_leave_nothing_in_memory(tmp_path):
    with (tmp_path / "out.csv").open("w") as out:
        recorder = Recorder(out)
        for number in range(1_000):
            fire(recorder, number)
        gc.collect()
        objects = len(gc.get_objects())
        tracemalloc.start()
        try:
            for number in range(50_000):
                fire(recorder, number)
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 50_000, f"{kept} bytes are kept"
    assert len(gc.get_objects()) - objects < 100
    assert recorder.count == 51_000
    with (tmp_path / "out.csv").open() as written:
        assert sum(1 for _ in written) == 51_001


def test_lateness_is_the_bin_of_a_millisecond_that_the_percentile_falls_into(tmp_path):
    with (tmp_path / "out.csv").open("w") as out:
        recorder = Recorder(out)
        assert recorder.late.percentile_ms(0.99) == 0.0
        for late_s in [0.0004] * 98 + [0.0305] * 2:
            recorder.late.note(late_s)
    assert recorder.late.percentile_ms(0.5) == 1.0
    assert recorder.late.percentile_ms(0.99) == 31.0


FIRED = """
from gevent import monkey; monkey.patch_all()
import gc, io, sys, time, tracemalloc
from pathlib import Path
from types import SimpleNamespace
from locust.env import Environment
from locust.contrib.fasthttp import LocustBadStatusCode
from loadtests.recorder import Recorder

class Nowhere(io.TextIOBase):
    def write(self, text):
        return len(text)

environment = Environment(user_classes=[], host="http://127.0.0.1:1")
environment.create_local_runner()  # Locust's own statistics listen, too
environment.events.request.add_listener(Recorder(Nowhere()).note)

def fire(number):
    # Each has an address, a time and an error of its own, as in a run of hours.
    url = f"/api/orders/{number}"
    error = LocustBadStatusCode(url, code=503) if number % 10 == 0 else None
    answer = SimpleNamespace(status_code=503 if error else 200, headers={"X-Served-By": f"orders-{number % 8}"})
    environment.events.request.fire(
        request_type="GET", name="look", response_time=number % 997 / 7, response_length=100, exception=error,
        response=answer, context={"due": float(number), "sent": float(number)}, url=url, start_time=time.time(),
    )

for number in range(2_000):
    fire(number)
gc.collect()
tracemalloc.start()
for number in range(100_000):
    fire(number)
gc.collect()
print(tracemalloc.get_traced_memory()[0])
"""


def test_locusts_own_statistics_keep_nothing_of_twice_as_many_either():
    done = subprocess.run([sys.executable, "-c", FIRED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Locust keeps about twenty copies of its table of response times, one of each of the last seconds: some 250,000
    # bytes on a slow machine, and never more. Whatever was kept of each request, or of each error, is above this limit.
    assert int(done.stdout) < 600_000, f"{done.stdout} bytes are kept"
