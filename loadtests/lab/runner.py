"""Running experiments: a system for them, a folder for each, a verdict; and everything put back, also after Ctrl-C."""

import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.lab import report
from loadtests.lab.environment import environment
from loadtests.lab.errors import CannotRun, LoadBroke, NotHere
from loadtests.lab.experiment import Experiment
from loadtests.lab.folder import Folder
from loadtests.lab.laboratory import Lab, Said
from loadtests.lab.place import Place
from loadtests.lab.processes import Processes
from loadtests.lab.system import System
from loadtests.lab.target import Target
from loadtests.lab.verdict import EXIT_CODES, decide

RESULTS = Path(__file__).resolve().parents[1] / "results"
REPEATS_QUICK = 1
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Options:
    """repeat: None leaves it to the experiment. pace: the share of the usual rates that is offered."""

    quick: bool = False
    repeat: int | None = None
    seed: int = 1
    target: str | None = None
    results: Path = RESULTS
    pace: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """How an experiment ended, and where its results are."""

    name: str
    verdict: str
    why: str
    folder: Path

    @property
    def code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def interrupted(self) -> bool:
        return self.why == INTERRUPTED


@dataclass
class Session:
    """What several experiments share: the options, and one system that goes on running between them.

    Raises CannotRun from `run` for bad input, before anything is measured.
    """

    options: Options
    said: Said
    place: Callable[[], Place] = Processes
    _system: System | Target | None = field(default=None, init=False)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_error: object) -> None:
        if isinstance(self._system, System):
            self.said("taking the system down")
            self._system.close()

    def run(self, experiment: Experiment) -> Outcome:
        """One experiment from the prediction to the report."""
        self._refuse_what_cannot_be(experiment)
        folder = Folder.create(self.options.results, experiment.name)
        if self._system is None:
            self._system = System(self.place())
        system = self._system
        quick = self.options.quick
        repeats = self.options.repeat or (REPEATS_QUICK if quick else experiment.repeats)
        settings = experiment.settings if isinstance(system, System) else {}
        pace = self.options.pace if experiment.paced else 1.0
        about = {"seed": self.options.seed, "quick": quick, "repeats": repeats, "target": system.url, "pace": pace}
        found = environment(settings, **about)
        folder.write("environment.json", found)
        lab = Lab(
            system, folder, seed=self.options.seed, quick=quick, repeats=repeats, said=self.said, pace=pace,
            host_may_be_full=experiment.host_may_be_full, settings=settings,
        )  # fmt: skip
        try:
            return _story(experiment, lab, system, about)
        finally:
            if isinstance(system, System) and folder.path.exists():
                folder.write("environment.json", found | system.described)

    def _refuse_what_cannot_be(self, experiment: Experiment) -> None:
        if self.options.target is None:
            if self._system is None:
                self._system = System(self.place())
            lacks = self._system.place.lacks if isinstance(self._system, System) else {}
            for need in sorted(experiment.needs & lacks.keys()):
                raise NotHere(f"{experiment.name} needs {need}, and {lacks[need]}")
            return
        if experiment.touches:
            raise CannotRun(f"{experiment.name} touches the system's processes: run it without --target")
        if self._system is None:
            self._system = Target(self.options.target)


def _story(experiment: Experiment, lab: Lab, system: System | Target, about: dict[str, Any]) -> Outcome:
    """Predict, run, judge, audit, put back, write it down."""
    broken = audit = None
    try:
        try:
            experiment.predict(lab)
            experiment.run(lab)
            if experiment.audited and isinstance(system, System):
                lab.say("auditing")
                audit = system.audit()
        finally:
            lab.leave()
            if isinstance(system, System):
                lab.say("putting the system back")
                system.restore()
        lab.say("judging")
        experiment.judge(lab)
    except KeyboardInterrupt:
        broken = INTERRUPTED
    except CannotRun as error:
        if not lab.measured:
            _remove_empty(lab.folder)
            raise
        broken = str(error)
    except LoadBroke as error:
        broken = str(error)
    except Exception as error:  # one that is wrong must not keep the others from running
        broken = f"{type(error).__name__}: {error}"
        (lab.folder.path / "traceback.txt").write_text(traceback.format_exc())
    limits = [(found.arm, found.limit) for found in lab.measured if found.limit]
    verdict, why = ("inconclusive", broken) if broken else decide(lab.checks, limits, audit)
    if verdict == "inconclusive" and limits and experiment.paced and not broken:
        why += f"; a lower --pace than {lab.pace:g} asks less of this machine"
    summary = {
        "name": experiment.name, "title": experiment.title, "question": experiment.question,
        "verdict": verdict, "why": why, "quick": about["quick"], "seed": about["seed"], "repeats": about["repeats"],
        "pace": about["pace"],
        "arms": [found.row() | lab.extra.get(id(found), {}) for found in lab.measured],
        "checks": [check.as_dict() for check in lab.checks], "faults": lab.faults, "audit": audit, "plots": lab.plots,
    }  # fmt: skip
    lab.folder.write("summary.json", summary)
    report.write(lab.folder.path)
    return Outcome(experiment.name, verdict, why, lab.folder.path)


def _remove_empty(folder: Folder) -> None:
    """Nothing was measured, so nothing is left behind."""
    import shutil

    with suppress(OSError):
        shutil.rmtree(folder.path)


@contextmanager
def one_interrupt(said: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM, SIGHUP) is a KeyboardInterrupt; while things are put back, others are not heard."""
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        if len(heard) == 1:
            raise KeyboardInterrupt
        said("the system is being put back; a moment")

    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
