"""Series over time, and what a fault cost, from samples whose fault is known."""

import numpy as np
import pytest

from loadtests.lab.columns import Columns
from loadtests.lab.recovery import avoided_after_s, judge_fault
from loadtests.lab.tests import synthetic
from loadtests.lab.tests.synthetic import BEGIN_S, END_S, LAST_S
from loadtests.lab.timeline import by_instance, edges, per_second, percentiles_over_time, readable_width, timeline


def judge(until, events=()):
    return judge_fault(synthetic.samples(hurts_until=until), events, "a fault", (2.0, LAST_S), BEGIN_S, END_S)


def test_rates_count_in_the_bin_in_which_they_fall():
    assert per_second([0.1, 0.9, 1.0, 2.5, 9.0], edges(0, 3)).tolist() == [2, 1, 1]
    assert per_second([0.1, 0.9, 1.0, 2.5], edges(0, 4, 2)).tolist() == [1.5, 0.5]


def test_percentiles_over_time_are_those_of_each_bin():
    found = percentiles_over_time([2.5, 0.1, 0.9, 0.5], [7, 1, 3, 2], edges(0, 3), (0.5, 1.0))
    np.testing.assert_equal(found, [[2, np.nan, 7], [3, np.nan, 7]])


def test_a_request_counts_when_it_was_due_and_its_answer_when_it_came():
    row = dict(next(iter(synthetic.rows("x"))), scheduled_s="0.5", ended_s="2.5")
    found = timeline(Columns.of_rows([row]), edges(0, 3))
    assert (found.offered.tolist(), found.good.tolist()) == ([1, 0, 0], [0, 0, 1])


def test_an_instance_that_is_away_serves_nothing_meanwhile():
    found = by_instance(synthetic.samples(hurts_until=22.0), edges(0, LAST_S), "catalog")
    assert set(found) == set(synthetic.INSTANCES)
    assert found["catalog-a-1"][21:30].sum() == 0
    assert found["catalog-a-1"][:20].min() > 0
    assert by_instance(synthetic.samples(), edges(0, 5), "orders") == {}


def test_a_bin_is_as_wide_as_its_percentiles_need():
    samples = synthetic.samples()
    assert [readable_width(samples, len(samples) / rate) for rate in (150, 60, 20)] == [1.0, 2.0, 5.0]


@pytest.mark.parametrize(("until", "recovery_s"), [(22.0, 2.0), (30.0, 10.0), (38.0, 18.0)])
def test_recovery_is_the_end_of_the_last_bad_second(until, recovery_s):
    found = judge(until)
    assert found.recovery_s == recovery_s
    assert found.failed > 20
    assert found.p99_before_ms < 100 < found.p99_during_ms
    assert found.p99_after_ms < 100


def test_a_fault_that_hurts_late_is_not_recovered_from_before():
    late = synthetic.samples(hurts_from=27.0, hurts_until=29.0)
    assert judge_fault(late, (), "a fault", (2.0, LAST_S), BEGIN_S, END_S).recovery_s == 9.0


def test_a_fault_that_nobody_noticed_is_recovered_from_at_once():
    found = judge(0.0)
    assert (found.failed, found.recovery_s, found.detection_s) == (0, 0.0, None)


def test_a_run_that_ends_too_early_has_seen_no_recovery():
    assert judge(57.0).recovery_s is None
    assert judge(57.0).p99_after_ms is None


def test_detection_is_the_first_event_after_the_begin():
    events = [{"kind": "detected", "t_s": "3.0"}, *synthetic.events(), {"kind": "detected", "t_s": "25.0"}]
    assert judge(22.0, events).detection_s == pytest.approx(0.8)


def test_an_instance_that_answers_is_detected_when_it_is_sent_no_more():
    samples = synthetic.samples(hurts_until=0.0)
    found = avoided_after_s(samples, "catalog-a-1", 15.0, END_S)
    last = samples.started_s[(samples.instance == "catalog-a-1") & (samples.started_s < BEGIN_S)].max()
    assert found == pytest.approx(last - 15.0)
    assert avoided_after_s(samples, "catalog-a-2", 15.0, END_S) is None


def test_samples_that_were_cut_off_are_read_as_far_as_they_go(tmp_path):
    file = synthetic.make_folder(tmp_path) / "samples.csv.gz"
    whole = Columns.read(file)
    file.write_bytes(file.read_bytes()[:60_000])
    part = Columns.read(file)
    assert 1000 < len(part) < len(whole)
    assert (part.latency_ms == whole.latency_ms[: len(part)]).all()
