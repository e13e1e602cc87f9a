"""What the simulation has to know of the shop, from what one run measured: CPU of each step and service, and waits.

CPU by the utilisation law for all arms together: cores of a subject = idle + sum over steps of rate * demand, solved
for idle and demands by least squares that allow nothing below 0. Lawson and Hanson, "Solving Least Squares
Problems", 1974, chapter 23.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np
from scipy.optimize import nnls

from loadtests.model.chains import stationary
from loadtests.model.checks import not_negative, positive, share, whole
from loadtests.model.laws import wait_demand
from loadtests.model.topology import BANK, tree, units, units_before_the_answer

FEWEST = 20  # answers of a step, for its mean to say anything
COLDEST = 3.0  # a burst on an idle machine costs four times as much at most; more is noise
LEAST = 0.01  # of a step's CPU, below which what a subject uses beside it is noise


@dataclass(frozen=True)
class Calibration:
    """Costs of the steps. Times in s, of one request and all that follows from it. Raises ValueError.

    demands_s: step -> subject -> CPU. Subjects that the step's tree does not name (the generator, the registry) work
    beside it. waits_s: step -> what its answer waits for beside CPU and bank: disks, the network, the generator.
    idle: subject -> cores used while nobody asks. bank_s: how long the bank takes. locks_s: service -> how long a
    write holds the write lock of its database; none: no write waits for another. cpu_cv: standard deviation / mean of
    the CPU of equal requests. cold: subject -> by which share a burst of CPU is longer that begins while all cores of
    its machine are idle.
    """

    demands_s: Mapping[str, Mapping[str, float]]
    waits_s: Mapping[str, float] = field(default_factory=dict)
    idle: Mapping[str, float] = field(default_factory=dict)
    bank_s: float = 0.0
    locks_s: Mapping[str, float] = field(default_factory=dict)
    cpu_cv: float = 1.0
    cold: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step, demands in self.demands_s.items():
            not_negative(**{f"demand of {step} at {subject}": value for subject, value in demands.items()})
            if missing := set(units(step)) - set(demands):
                raise ValueError(f"{step} is served by {', '.join(sorted(missing))} too, whose CPU is not given")
        for named in (self.waits_s, self.idle, self.locks_s, self.cold, {"bank_s": self.bank_s, "cpu_cv": self.cpu_cv}):
            not_negative(**named)

    @classmethod
    def from_arms(
        cls, arms: Sequence[Mapping[str, Any]], *, busy: Mapping[str, Any] | None = None, cores: int = 2,
        bank_s: float = 0.0, **more: Any,
    ) -> "Calibration":  # fmt: skip
        """From `arms` of a summary.json, each with its throughput, steps and CPU, on a machine with so many cores.

        Best are an idle arm and one for each step alone, lightly loaded. busy: an arm of the same run with a load that
        keeps the machine busy. It tells how much cheaper requests are there, where caches are warm and nobody has to be
        woken; without it a load far from that of the arms is predicted wrongly. more: other fields. Raises ValueError
        where the arms do not tell the steps apart.
        """
        arms = [arm for arm in arms if arm["cpu"]]
        steps = sorted({step for arm in arms for step in arm["steps"]})
        for step in steps:
            tree(step)
        demands, idle = _demands(arms, steps)
        cold: dict[str, float] = {}
        waits = {step: _wait(step, demands[step], arms, bank_s) for step in steps}
        if busy is not None:
            demands, cold = _levelled(demands, idle, cores, arms, busy)
        return cls(demands, waits, idle, bank_s, cold=cold, **more)

    def unit_s(self, step: str, service: str) -> float:
        """CPU of one unit of work (s); see `topology`."""
        return self.demands_s[step][service] / units(step)[service]

    def beside(self, step: str) -> dict[str, float]:
        """subject -> CPU that is used for the step by whoever has no part in it (s)."""
        return {subject: s for subject, s in self.demands_s[step].items() if subject not in units(step)}

    def rates(self, rate: float, mix: Mapping[str, float]) -> dict[str, float]:
        """step -> requests a second. Raises ValueError for a step that was not measured, or no weight above 0."""
        positive(sum_of_weights=sum(mix.values()), rate=rate)
        not_negative(**mix)
        if unknown := [step for step in mix if step not in self.demands_s]:
            raise ValueError(
                f"the calibration knows nothing of {', '.join(unknown)}; it has {', '.join(self.demands_s)}"
            )
        return {step: rate * weight / sum(mix.values()) for step, weight in mix.items()}

    def cores(self, rate: float, mix: Mapping[str, float], idle: float = 0.0) -> dict[str, float]:
        """subject -> cores that this load needs, what is used anyhow not counted: utilisation law.

        idle: how often all cores of a machine are (see `idle_share`); 0 for full ones. Raises ValueError as `rates`.
        """
        needed: dict[str, float] = {}
        for step, each in self.rates(rate, mix).items():
            for subject, demand_s in self.demands_s[step].items():
                dearer = 1 + self.cold.get(subject, 0.0) * idle
                needed[subject] = needed.get(subject, 0.0) + each * demand_s * dearer
        return needed


def idle_share(busy: float, cores: int) -> float:
    """How often all cores of a machine are idle that is so busy (0 to 1): p_0 of M/M/c, for two cores (1 - u)/(1 + u).

    Raises ValueError.
    """
    share(busy=busy)
    whole(1, cores=cores)
    load = min(busy, 0.999) * cores
    return stationary([load] * 400, [float(min(number, cores)) for number in range(1, 401)])[0]


def _demands(
    arms: Sequence[Mapping[str, Any]], steps: Sequence[str]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """step -> subject -> CPU seconds, and subject -> idle cores."""
    rates = np.array([[1.0, *(_rate(arm, step) for step in steps)] for arm in arms])
    if len(arms) == 0 or np.linalg.matrix_rank(rates) < len(steps) + 1:
        raise ValueError(f"{len(arms)} arms do not tell apart the costs of {', '.join(steps)} and of doing nothing")
    subjects = sorted({subject for arm in arms for subject in arm["cpu"]} - {"host"})
    solved = {_short(s): nnls(rates, np.array([arm["cpu"].get(s, 0.0) for arm in arms]))[0] for s in subjects}
    demands = {step: {s: float(found[1 + at]) for s, found in solved.items()} for at, step in enumerate(steps)}
    clear = {
        step: {s: each for s, each in found.items() if s in units(step) or each > LEAST * sum(found.values())}
        for step, found in demands.items()
    }
    return clear, {s: float(found[0]) for s, found in solved.items()}


def _rate(arm: Mapping[str, Any], step: str) -> float:
    every = sum(found["n"] for found in arm["steps"].values())
    return arm["throughput"] * arm["steps"][step]["n"] / every if step in arm["steps"] else 0.0


def _levelled(
    demands: Mapping[str, Mapping[str, float]], idle: Mapping[str, float], cores: int,
    light: Sequence[Mapping[str, Any]], busy: Mapping[str, Any],
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:  # fmt: skip
    """Demands on a busy machine, and by how much they grow on an idle one, from the light arms and a busy one.

    With p the share of bursts that begin on an idle machine, a subject's demand is D (1 + cold p). p is taken for the
    p_0 of M/M/c. Two arms, two equations: D_light = D (1 + cold p_light), D_busy = D (1 + cold p_busy).
    """
    at_light = fmean(_idle_share(arm, cores) for arm in light if arm["steps"])
    at_busy = _idle_share(busy, cores)
    warm: dict[str, float] = {}
    cold: dict[str, float] = {}
    for subject in idle:
        foretold = sum(_rate(busy, step) * found.get(subject, 0.0) for step, found in demands.items())
        used = _cores(busy, subject) - idle[subject]
        ratio = used / foretold if foretold > 0 and used > 0 else 1.0
        room = ratio * at_light - at_busy
        cold[subject] = 0.0 if ratio >= 1 else min(COLDEST, (1 - ratio) / room) if room > 0 else COLDEST
        warm[subject] = ratio / (1 + cold[subject] * at_busy)
    return {step: {s: each * warm[s] for s, each in found.items()} for step, found in demands.items()}, cold


def _idle_share(arm: Mapping[str, Any], cores: int) -> float:
    """With the CPU of the system and of all others on the machine."""
    return idle_share(min(1.0, max(arm["host_share"], sum(arm["cpu"].values()) / cores)), cores)


def _cores(arm: Mapping[str, Any], subject: str) -> float:
    return sum(used for name, used in arm["cpu"].items() if _short(name) == subject)


def _wait(step: str, demands: Mapping[str, float], arms: Sequence[Mapping[str, Any]], bank_s: float) -> float:
    """From the arm where the step took least: hardly anybody was in its way there."""
    found = [arm["steps"][step] for arm in arms if arm["steps"].get(step, {"n": 0})["n"] >= FEWEST]
    if not found:
        raise ValueError(f"no arm has {FEWEST} answers of {step}, so nothing is known of its time")
    total, before = units(step), units_before_the_answer(step)
    cpu_s = sum(demands[service] * count / total[service] for service, count in before.items())
    asks_the_bank = any(visit.service == BANK for visit in tree(step).answered())
    return wait_demand(min(each["mean_ms"] for each in found) / 1000, cpu_s + asks_the_bank * bank_s)


def _short(subject: str) -> str:
    return subject.removeprefix("service:")
