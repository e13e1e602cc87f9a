"""What an experiment works with: arms to measure, predictions to make, checks to pass, a system to break."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from loadtests.lab.arm import Arm
from loadtests.lab.errors import LoadBroke
from loadtests.lab.folder import Folder
from loadtests.lab.load import Closed, Generator, Open
from loadtests.lab.measured import Measured, warm_up
from loadtests.lab.place import Watcher
from loadtests.lab.system import System
from loadtests.lab.target import Target
from loadtests.lab.verdict import Check, Prediction

WARM_UP_S = 2.0
Said = Callable[[str], None]
T = TypeVar("T")


class Lab:
    """One run of one experiment. What is asked of it is written to the folder at once."""

    def __init__(
        self, system: System | Target, folder: Folder, *, seed: int, quick: bool, repeats: int, said: Said,
        pace: float = 1.0, host_may_be_full: bool = False, settings: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._system, self.folder, self.seed, self.quick, self._repeats = system, folder, seed, quick, repeats
        self.pace, self._said, self._host_may_be_full = pace, said, host_may_be_full
        self._settings = dict(settings or {})
        self._contexts = ExitStack()
        self.repeat = 1
        self.measured: list[Measured] = []
        self.predictions: list[Prediction] = []
        self.checks: list[Check] = []
        self.faults: list[dict[str, Any]] = []
        self.plots: list[dict[str, str]] = []
        self.extra: dict[int, dict[str, Any]] = {}  # more fields of an arm's row
        folder.write("prediction.json", [])

    # ---- the conditions

    @property
    def system(self) -> System:
        """The system, to be scaled and broken. Raises LoadBroke for one that is not ours."""
        if isinstance(self._system, Target):
            raise LoadBroke(f"{self._system.url} is not ours: nothing in it may be touched")
        self._ready()
        return self._system

    @property
    def ours(self) -> bool:
        """Whether the system is one that we started, so that its processes can be watched and touched."""
        return isinstance(self._system, System)

    def seconds(self, whole: float, quick: float) -> float:
        """How long something takes: in a whole run, in a quick one."""
        return quick if self.quick else whole

    def rate(self, usual: float) -> float:
        """Requests a second (or anything else that goes with them): the usual, or the share of it that --pace says."""
        return usual * self.pace

    def repeats(self) -> Iterator[int]:
        """1, 2, …: arms that are measured inside belong to that repeat, and have its seed."""
        for number in range(1, self._repeats + 1):
            self.repeat = number
            yield number

    def use(self, **settings: str) -> None:
        """Go on with a system that has these settings beside the experiment's; it is started again for that."""
        if isinstance(self._system, System):
            self._system.restore()
        self._settings |= settings
        self._ready()

    def _ready(self) -> System | Target:
        """The system, which runs with the settings that are wanted from now on."""
        if isinstance(self._system, System) and not self._system.runs_with(self._settings):
            self.say("starting the system" + (" with settings of its own" if self._settings else ""))
            self._system.up(self._settings)
        return self._system

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context that ends with the experiment's run, before the system is put back."""
        return self._contexts.enter_context(manager)

    def leave(self) -> None:
        """End what was entered."""
        self._contexts.close()

    def say(self, what: str) -> None:
        self._said(what)

    # ---- measuring

    def measure(
        self, name: str, load: Open | Closed, seconds: float, *, warm_up_s: float = WARM_UP_S, fills_host: bool = False
    ) -> Measured:
        """An arm in which nothing happens but the load, for so long after the warm-up."""
        with self.arm(name, load, warm_up_s=warm_up_s, fills_host=fills_host) as arm:
            arm.wait(warm_up_s + seconds)
        return self.measured[-1]

    @contextmanager
    def arm(
        self, name: str, load: Open | Closed, *, warm_up_s: float = WARM_UP_S, fills_host: bool = False
    ) -> Iterator[Arm]:
        """The block runs beside the load. Afterwards `measured[-1]` is what came, also if the block was interrupted.

        The warm-up ends after `warm_up_s`, or later if MSER-5 asks for more, which looks at what was before a fault.
        fills_host: the point of this arm is a machine that can do no more.
        """
        system = self._ready()
        partial = self.folder.partial(name, self.repeat)
        generator = Generator(system, load, 1000 * self.seed + self.repeat, partial)
        generator.start()
        self.say(name)
        arm = Arm(name, self.repeat, self.folder, generator.began, lambda: generator.runs)
        monitor = system.place.monitor({"generator": generator.pid, "laboratory": os.getpid()})
        try:
            with monitor:
                yield arm
        finally:  # also when it was interrupted before the block began
            end_s = arm.now_s
            generator.stop()
            self._keep(arm, generator, monitor, warm_up_s, end_s, fills_host)

    def watch(self, name: str, seconds: float) -> Measured:
        """An arm without a load: what is used anyhow."""
        system = self._ready()
        self.say(name)
        arm = Arm(name, self.repeat, self.folder, time.monotonic(), lambda: True)
        monitor = system.place.monitor({"laboratory": os.getpid()})
        try:
            with monitor:
                arm.wait(seconds)
        finally:
            self._keep(arm, None, monitor, 0.0, arm.now_s)
        return self.measured[-1]

    def _keep(
        self, arm: Arm, generator: Generator | None, monitor: Watcher, least_s: float, end_s: float,
        fills_host: bool = False,
    ) -> None:  # fmt: skip
        partial = self.folder.partial(arm.name, arm.repeat)
        samples = self.folder.add_samples(arm.name, arm.repeat, arm.began, partial)
        self.folder.add_series(arm.name, arm.repeat, arm.began, monitor.rows)
        begin_s = arm.first("fault_begin")
        warm_s, why = warm_up(samples, min(least_s, end_s / 2), end_s if begin_s is None else begin_s)
        arm.event("warm_up_end", why, warm_s)
        rows = [(t - arm.began, subject, metric, value) for t, subject, metric, value in monitor.rows]
        late_ms = generator.about.get("late_p99_ms", math.nan) if generator is not None else 0.0
        full = fills_host or self._host_may_be_full
        found = Measured(arm.name, arm.repeat, samples, rows, warm_s, end_s, late_ms, full)
        self.measured.append(found)
        self.extra[id(found)] = {"settings": dict(self._settings)}

    # ---- claiming and judging

    def predict(
        self, name: str, value: float, unit: str, *, formula: str, source: str, tex: str = "",
        **inputs: tuple[float, str],
    ) -> Prediction:  # fmt: skip
        """Put down what a formula says, before what it speaks of is measured. inputs: symbol=(value, unit)."""
        made = Prediction(
            name, value, unit, formula, tex, inputs, source, datetime.now(UTC).isoformat(timespec="seconds")
        )
        self.predictions.append(made)
        self.folder.write("prediction.json", [one.as_dict() for one in self.predictions])
        return made

    def check(self, made: Prediction, measured: float, within: float, unsure: str = "") -> Check:
        """Compare what came with what was predicted. within: the share that it may be off."""
        self.checks.append(Check.of_prediction(made, measured, within, unsure))
        return self.checks[-1]

    def show(self, made: Prediction, measured: float, why: str) -> Check:
        """Put what came beside what was predicted, and judge nothing. why: the reason for that."""
        self.checks.append(Check.of_interest(made, measured, why))
        return self.checks[-1]

    def require(
        self, name: str, measured: float, *, at_least: float | None = None, at_most: float | None = None,
        unit: str = "", why: str = "",
    ) -> Check:  # fmt: skip
        """A bound that has to be kept."""
        self.checks.append(Check.of_bounds(name, measured, at_least, at_most, unit, why))
        return self.checks[-1]

    def of(self, name: str) -> list[Measured]:
        """What the arms of this name measured, one for each repeat."""
        return [found for found in self.measured if found.arm == name]

    def plot(self, row: dict[str, str]) -> None:
        """Note a plot that `loadtests.lab.plots` has drawn into the folder."""
        self.plots.append(row)
