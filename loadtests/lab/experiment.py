"""An experiment is one file in `loadtests/experiments/`: a story of question, prediction, load, fault and verdict.

The file `loadtests/experiments/two_words.py` holds one class, whose slug is `two-words`:

    class TwoWords(Experiment):
        number = 18
        title = "What it is about, in half a line"
        question = "What we want to know, as a question?"
        settings = {"PAYMENTS__THREADS": "2"}      # environment of the system, as for `souk up`

        def predict(self, lab):
            alone = lab.measure("calibration", Closed(1, {"product": 1}), lab.seconds(20, 5))
            self.mean = lab.predict(
                "mean latency at 40/s", alone.mean_ms(), "ms", formula="R = S", source="no queue at light load",
                S=(alone.mean_ms(), "ms"))

        def run(self, lab):
            for _ in lab.repeats():
                lab.measure("40 a second", Open(40, {"product": 1}), lab.seconds(60, 10))

        def judge(self, lab):
            (one,) = lab.of("40 a second")
            lab.check(self.mean, one.mean_ms(), within=0.2)
            lab.require("failed requests", (~one.requests.ok).sum(), at_most=0)

`lab` is a `laboratory.Lab`. Loads are `load.Open` and `load.Closed`, over the journeys of `loadtests.steps`. A fault is
a block inside an arm:

    with lab.arm("one killed", Open(40, {"product": 1})) as arm:
        arm.wait(10)
        with arm.fault("a catalog killed"):
            lab.system.kill("catalog")
        arm.wait(15)

Samples, CPU, events, predictions and checks are kept without anybody asking. The system is put back afterwards,
whatever happens. What is measured while the generator or the host was the limit makes the verdict inconclusive; set
`host_may_be_full` where filling it is the point. A quick run (`lab.quick`) takes at most 45 s.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from loadtests.lab.errors import CannotRun

if TYPE_CHECKING:
    from loadtests.lab.laboratory import Lab

CUT, INSTANCES, DATABASE = "a network that can be cut", "instances within reach", "a database of its own"
FOLDER = Path(__file__).resolve().parents[1] / "experiments"


class Experiment:
    """One question. Subclasses say what is named here; `name` is the slug of their file.

    touches: it starts, stops or sets something in the system, so it needs one that the laboratory starts.
    audited: it places orders, so it ends with the audit. repeats: how often a whole run measures each arm.
    needs: what not every place has, of the words below. paced: it offers fixed rates, by `lab.rate`, so it can be run
    at a share of them on a machine that is slower than the one for which they were chosen.
    """

    number: ClassVar[int]
    title: ClassVar[str]
    question: ClassVar[str]
    settings: ClassVar[dict[str, str]] = {}
    touches: ClassVar[bool] = True
    audited: ClassVar[bool] = False
    host_may_be_full: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    repeats: ClassVar[int] = 1
    paced: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    def predict(self, lab: "Lab") -> None:
        """Before the run: calibrate, and say what will come."""

    def run(self, lab: "Lab") -> None:
        """Load, break, measure."""
        raise NotImplementedError

    def judge(self, lab: "Lab") -> None:
        """Compare, and draw."""
        raise NotImplementedError


def names() -> list[str]:
    """The slugs of all experiments."""
    return sorted(file.stem.replace("_", "-") for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))


def load(name: str) -> Experiment:
    """A fresh experiment of this slug. Raises CannotRun when there is none."""
    if name not in names():
        raise CannotRun(f"there is no experiment {name!r}; there are {', '.join(names())}")
    module = importlib.import_module(f"loadtests.experiments.{name.replace('-', '_')}")
    (own,) = (
        found for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Experiment) and found.__module__ == module.__name__
    )  # fmt: skip
    return own()


def every() -> list[Experiment]:
    """All of them, in the order in which they build on each other."""
    return sorted((load(name) for name in names()), key=lambda experiment: experiment.number)
