"""What an arm's figures say, and how they stand in the folder."""

import csv
import gzip
import json
import math

import numpy as np
import pytest

from loadtests.lab.columns import Columns
from loadtests.lab.errors import CannotRun
from loadtests.lab.folder import Folder
from loadtests.lab.measured import Measured, requests_of, warm_up
from loadtests.recorder import COLUMNS

BEGAN = 5000.0


def write_partial(path, rows):
    """rows: (due_s, took_s, step, status, ok); each left 1 ms late."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for due, took, step, status, ok in rows:
            times = [f"{BEGAN + t:.6f}" for t in (due, due + 0.001, due + took)]
            writer.writerow([*times, step, status, ok, "" if ok else "HTTP 503", 0, "catalog-1"])


def kept(folder, rows, arm="an arm", repeat=1):
    partial = folder.partial(arm, repeat)
    write_partial(partial, rows)
    return folder.add_samples(arm, repeat, BEGAN, partial)


@pytest.fixture
def folder(tmp_path):
    return Folder.create(tmp_path, "an-experiment")


def measured(samples, rows=(), **options):
    return Measured("an arm", 1, samples, rows, **({"warm_up_s": 2.0, "end_s": 10.0} | options))


EVEN = [(0.1 * n, 0.02, "page", 200, 1) for n in range(100)]


def test_throughput_counts_good_answers_between_the_warm_up_and_the_end(folder):
    found = measured(kept(folder, [*EVEN, (5.0, 0.02, "page", 503, 0), (9.99, 0.5, "page", 200, 1)]))
    assert found.throughput() == pytest.approx(10, rel=0.02)
    assert found.offered() == pytest.approx(10.25)
    assert found.mean_ms("page") == pytest.approx((80 * 20 + 500) / 81)
    assert found.row()["failed"] == 1


def test_what_is_told_of_a_whole_journey_is_no_request(folder):
    found = measured(kept(folder, [*EVEN, (4.0, 3.0, "order settles", 0, 1)]))
    assert found.throughput() == pytest.approx(10, rel=0.02)
    assert len(requests_of(found.samples)) == 100
    assert found.row()["steps"]["order settles"]["mean_ms"] == pytest.approx(3000)


def test_an_order_that_does_not_settle_is_a_failure(folder):
    assert measured(kept(folder, [*EVEN, (4.0, 3.0, "order settles", 0, 0)])).row()["failed"] == 1


def looks(**cores):
    return [(float(t), subject, "cpu_cores", value) for t in range(1, 11) for subject, value in cores.items()]


def test_cpu_demand_is_cores_by_throughput_less_what_is_used_anyhow(folder):
    samples = kept(folder, EVEN)
    busy, idle = (measured(samples, looks(catalog=cores)) for cores in (0.5, 0.1))
    assert busy.cores("catalog") == pytest.approx(0.5)
    assert busy.demand_ms("catalog", idle) == pytest.approx(40, rel=0.02)
    assert math.isnan(busy.cores("nobody"))


def test_a_process_that_lived_for_half_of_the_time_used_half_on_average(folder):
    rows = looks(catalog=0.5) + [(float(t), "extra", "cpu_cores", 1.0) for t in (7, 8, 9, 10)]
    assert measured(kept(folder, EVEN), rows).cores("extra") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("generator", "host", "late_ms", "limit"),
    [(0.5, 0.5, 3.0, None), (0.9, 0.5, 3.0, "generator"), (0.5, 0.5, 51.0, "generator"), (0.5, 0.95, 3.0, "host")],
)
def test_who_was_the_limit_is_said(folder, generator, host, late_ms, limit):
    rows = looks(generator=generator) + [(float(t), "host", "cpu_share", host) for t in range(1, 11)]
    samples = kept(folder, EVEN)
    assert measured(samples, rows, late_p99_ms=late_ms).limit == limit
    allowed = measured(samples, rows, late_p99_ms=late_ms, host_may_be_full=True)
    assert allowed.limit == (None if limit == "host" else limit)


def test_the_warm_up_goes_on_for_as_long_as_the_rule_asks(folder):
    rng = np.random.default_rng(1)
    slow_start = [
        (0.05 * n, 0.02 + rng.exponential(0.002) + (0.5 if n < 80 else 0), "page", 200, 1) for n in range(400)
    ]
    cut_s, why = warm_up(kept(folder, slow_start), 1.0, 20.0)
    assert 3.9 < cut_s < 9
    assert "MSER-5" in why
    steady = [(0.05 * n, 0.02 + rng.exponential(0.002), "page", 200, 1) for n in range(400)]
    assert warm_up(kept(folder, steady), 9.0, 20.0)[0] == 9.0
    assert warm_up(Columns.of_rows([]), 1.0, 20.0)[0] == 1.0


# ---- the folder


def test_arms_are_appended_and_a_line_that_was_cut_is_left_out(folder):
    first = kept(folder, EVEN, "first", 1)
    partial = folder.partial("second", 2)
    write_partial(partial, EVEN[:3])
    partial.write_text(partial.read_text() + "5000.300000,5000.3")
    second = folder.add_samples("second", 2, BEGAN, partial)
    assert (len(first), len(second)) == (100, 3)
    every = Columns.read(folder.path / "samples.csv.gz")
    assert len(every) == 103
    assert every.of(arm="second").scheduled_s.tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert every.latency_ms[0] == pytest.approx(20)
    assert every.response_ms[0] == pytest.approx(19)
    assert [path.name for path in folder.path.glob(".*")] == []


def test_an_arm_whose_generator_wrote_nothing_is_an_arm_without_samples(folder):
    assert len(folder.add_samples("none", 1, BEGAN, folder.partial("none", 1))) == 0


def test_series_and_events_are_long_tables(folder):
    folder.add_series("an arm", 1, BEGAN, [(BEGAN + 1.5, "nginx", "cpu_cores", 0.25)])
    folder.add_event("an arm", 1, 2.0, "fault_begin", "a comma, and more")
    with gzip.open(folder.path / "series.csv.gz", "rt", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "arm": "an arm",
        "repeat": "1",
        "t_s": "1.500",
        "subject": "nginx",
        "metric": "cpu_cores",
        "value": "0.25",
    }
    with (folder.path / "events.csv").open(newline="") as file:
        (event,) = csv.DictReader(file)
    assert event["what"] == "a comma, and more"


def test_json_has_null_for_what_is_no_number(folder):
    folder.write("summary.json", {"a": math.nan, "b": [np.float64(2.5), math.inf], "c": np.int64(3)})
    assert json.loads((folder.path / "summary.json").read_text()) == {"a": None, "b": [2.5, None], "c": 3}


def test_two_runs_in_one_second_have_a_folder_each(tmp_path):
    assert len({Folder.create(tmp_path, "x").path for _ in range(3)}) == 3


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="--results"):
        Folder.create(tmp_path / "file" / "below", "x")
