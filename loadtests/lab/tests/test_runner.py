"""The story of an experiment from prediction to report, against a shop that answers by script."""

import csv
import inspect
import json
import os
import signal
from pathlib import Path

import pytest

from loadtests.lab import experiment as experiments
from loadtests.lab import measured
from loadtests.lab.columns import Columns
from loadtests.lab.errors import CannotRun
from loadtests.lab.experiment import Experiment
from loadtests.lab.load import Closed, Open
from loadtests.lab.runner import Options, Session, one_interrupt
from loadtests.tests.fake_shop import FakeShop


@pytest.fixture(autouse=True)
def nothing_is_the_limit(monkeypatch):
    """Other tests run beside these; `test_measured` has what a busy machine means for a verdict."""
    for limit in ("BUSY_GENERATOR", "BUSY_HOST", "LATE_MS"):
        monkeypatch.setattr(measured, limit, float("inf"))


class Pages(Experiment):
    number, title, question, touches = 99, "Pages", "How many pages come?", False
    expected = 40.0

    def predict(self, lab):
        self.rate = lab.predict(
            "pages a second", self.expected, "1/s", formula="X = rate", source="flow balance", rate=(40, "1/s")
        )

    def run(self, lab):
        for _ in lab.repeats():
            with lab.arm("pages", Open(40, {"page": 1}, arrivals="constant"), warm_up_s=0.5) as arm:
                arm.wait(1.0)
                with arm.fault("nothing much"):
                    self.in_the_middle()
                arm.wait(1.0)

    def in_the_middle(self):
        """Where a test lets something happen."""

    def judge(self, lab):
        lab.check(self.rate, lab.of("pages")[0].offered(), within=0.2)


class WrongPages(Pages):
    expected = 80.0


class InterruptedPages(Pages):
    def in_the_middle(self):
        os.kill(os.getpid(), signal.SIGINT)


class ClosedPages(Pages):
    def run(self, lab):
        lab.measure("pages", Closed(2, {"page": 1}, think_s=(0.045, 0.045)), 1.5, warm_up_s=0.5)


class PacedPages(Pages):
    paced = True

    def run(self, lab):
        lab.measure("pages", Open(lab.rate(80), {"page": 1}, arrivals="constant"), 2.0, warm_up_s=0.5)


class TouchingPages(Pages):
    touches = True


def run(one, tmp_path, **options):
    """The outcome, and what the summary says."""
    with FakeShop().served() as url:
        options = Options(target=url, results=tmp_path, **options)
        with one_interrupt(print), Session(options, lambda _what: None) as session:
            outcome = session.run(one)
    return outcome, json.loads((outcome.folder / "summary.json").read_text())


def test_a_run_leaves_a_folder_with_everything(tmp_path):
    outcome, summary = run(Pages(), tmp_path, seed=5)
    assert (outcome.verdict, outcome.code, summary["verdict"], summary["seed"]) == ("pass", 0, "pass", 5)
    (arm,) = summary["arms"]
    samples = Columns.read(outcome.folder / "samples.csv.gz")
    assert set(samples.step) == {"page"}
    assert arm["steps"]["page"]["n"] == len(samples.between(arm["warm_up_s"], arm["warm_up_s"] + arm["seconds"]))
    with (outcome.folder / "events.csv").open() as file:
        assert {"fault_begin", "fault_end", "warm_up_end"} <= {row["kind"] for row in csv.DictReader(file)}
    assert json.loads((outcome.folder / "prediction.json").read_text())[0]["inputs"]["rate"] == {
        "value": 40,
        "unit": "1/s",
    }
    environment = json.loads((outcome.folder / "environment.json").read_text())
    assert environment["machine"]["cores"] == os.cpu_count()
    assert {"python", "locust", "sqlite"} <= set(environment["versions"])
    assert "How many pages come?" in (outcome.folder / "report.html").read_text()
    assert not list(outcome.folder.glob(".*")), "nothing half done is left"


def test_a_prediction_stands_in_the_folder_before_anything_is_measured(tmp_path):
    class Looking(Pages):
        def in_the_middle(self):
            (folder,) = tmp_path.iterdir()
            self.found = json.loads((folder / "prediction.json").read_text())

    one = Looking()
    run(one, tmp_path)
    assert one.found[0]["value"] == 40.0


def test_a_prediction_that_does_not_hold_is_a_failure(tmp_path):
    outcome, summary = run(WrongPages(), tmp_path)
    assert (outcome.code, summary["verdict"]) == (1, "fail")
    assert "pages a second" in summary["why"]


def test_a_repeat_is_an_arm_of_its_own_with_other_arrivals(tmp_path):
    outcome, summary = run(Pages(), tmp_path, repeat=2)
    assert [arm["repeat"] for arm in summary["arms"]] == [1, 2]
    assert set(Columns.read(outcome.folder / "samples.csv.gz").repeat.tolist()) == {1, 2}


def test_at_half_the_pace_half_as_many_come_and_the_summary_says_so(tmp_path):
    outcome, summary = run(PacedPages(), tmp_path, pace=0.5)
    assert (outcome.verdict, summary["pace"]) == ("pass", 0.5)
    assert "at 0.5 of the usual rates" in (outcome.folder / "report.html").read_text()


def test_what_offers_no_fixed_rates_keeps_to_what_it_offers(tmp_path):
    outcome, summary = run(Pages(), tmp_path, pace=0.5)
    assert (outcome.verdict, summary["pace"]) == ("pass", 1.0)


def test_where_the_machine_was_the_limit_a_lower_pace_is_named_if_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "LATE_MS", -1.0)
    assert run(PacedPages(), tmp_path, pace=0.5)[0].why.endswith("; a lower --pace than 0.5 asks less of this machine")
    assert "--pace" not in run(Pages(), tmp_path)[0].why


@pytest.mark.parametrize("one", experiments.every(), ids=lambda one: one.name)
def test_whoever_offers_a_share_of_its_rates_says_that_it_is_paced(one):
    assert one.paced == ("lab.rate(" in Path(inspect.getfile(type(one))).read_text())


def test_a_closed_loop_is_measured_too(tmp_path):
    _, summary = run(ClosedPages(), tmp_path)
    assert 0 < summary["arms"][0]["throughput"] <= 2 / 0.045


def test_ctrl_c_keeps_the_samples_so_far_and_is_inconclusive(tmp_path):
    outcome, summary = run(InterruptedPages(), tmp_path)
    assert (outcome.code, outcome.interrupted) == (3, True)
    assert (summary["verdict"], summary["why"]) == ("inconclusive", "interrupted")
    assert len(Columns.read(outcome.folder / "samples.csv.gz")) > 20
    assert summary["arms"][0]["name"] == "pages"
    assert (outcome.folder / "report.html").exists()
    assert not list(outcome.folder.glob(".*"))


def test_a_target_that_goes_away_in_the_middle_is_told_by_its_failures(tmp_path):
    with FakeShop(broken=["GET /api/catalog/products"]).served() as url, pytest.raises(CannotRun, match="503"):
        Session(Options(target=url, results=tmp_path), print).run(Pages())
    assert not list(tmp_path.iterdir()), "nothing was measured, so nothing is left behind"


def test_what_touches_processes_is_refused_on_a_target(tmp_path):
    with FakeShop().served() as url, pytest.raises(CannotRun, match="without --target"):
        Session(Options(target=url, results=tmp_path), print).run(TouchingPages())
    assert not list(tmp_path.iterdir())


def test_every_experiment_has_a_question_and_a_number_of_its_own():
    found = experiments.every()
    assert {one.name for one in found} == set(experiments.names())
    assert len({one.number for one in found}) == len(found)
    for one in found:
        assert one.question.endswith("?"), one.name
        assert one.title
