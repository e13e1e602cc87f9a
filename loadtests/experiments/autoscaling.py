"""Does an autoscaler keep the promise of a large fleet at the price of a small one?"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from loadtests.lab.autoscaler import PERIOD_S, SAYS_WITHIN_S, Autoscaler, Observation, TargetTracking
from loadtests.lab.experiment import INSTANCES, Experiment
from loadtests.lab.laboratory import Arm, Lab
from loadtests.lab.load import Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import scaling_timeline
from loadtests.lab.timeline import edges, timeline
from loadtests.model.fluid import fluid
from loadtests.shapes import Profile

THREADS, BANK_MS, TARGET, MOST = 2, 200, 0.6, 4
BASE, PEAK = 3.0, 22.0  # charges a second, evenly: chance would ask for a replica before the step
SLO_MS = 600.0  # for the p95 of a second: three times what the bank takes
SHED_S = 2.5  # a request that has waited so long in an instance is refused (SHED_AFTER_MS)
PAYMENTS, ROUTE = "service:payments", "/internal/charges"
FIXED_SMALL, FIXED_LARGE, SCALED = "one replica", f"{MOST} replicas", "autoscaled"


class Autoscaling(Experiment):
    number = 7
    title = "A target-tracking autoscaler against a load step and a spike"
    question = "For how long is the promised latency broken until replicas are added, and how much do they save?"
    needs = frozenset({INSTANCES})
    settings = {"PAYMENTS__THREADS": str(THREADS)}
    audited = True

    def predict(self, lab: Lab) -> None:
        """One charge alone, one more replica by hand; then the policy and a fluid queue tell the rest."""
        lab.system.bank(latency_ms=BANK_MS)
        alone = lab.measure("one charge at a time", Open(BASE, {"charge": 1}, "constant"), lab.seconds(20, 5))
        began = time.monotonic()
        lab.system.scale(payments=2)
        self.start_s = time.monotonic() - began
        lab.system.scale(payments=1)
        self.service_s = alone.mean_ms() / 1000
        self.profile, self.seconds = self._profile(lab)
        steps = self._steps()
        wanted = math.ceil(PEAK * self.service_s / (THREADS * TARGET))
        self.count = lab.predict(
            "replicas after the step", float(min(MOST, wanted)), "replicas", formula="n = ceil(l S / (c u))",
            tex=r"n = \lceil \lambda S / (c\,u^*) \rceil", source="utilisation law; Kubernetes HorizontalPodAutoscaler",
            l=(PEAK, "1/s"), S=(self.service_s, "s"), c=(THREADS, "threads"), u=(TARGET, ""),
        )  # fmt: skip
        self.late = lab.predict(
            "seconds out of the promise, autoscaled", self._late_s(steps), "s",
            formula="fluid queue; more replicas after each (period + answer + start), as the policy asks",
            source="Newell, Applications of Queueing Theory, chapter 2", period=(PERIOD_S, "s"),
            answer=(SAYS_WITHIN_S, "s"),
            start=(self.start_s, "s"), S=(self.service_s, "s"),
        )  # fmt: skip

    def _profile(self, lab: Lab) -> tuple[Profile, float]:
        """A step up and down again; in a whole run a spike behind it."""
        up, down, end = (3.0, 18.0, 21.0) if lab.quick else (15.0, 55.0, 115.0)
        points = [(0, BASE), (up, BASE), (up, PEAK), (down, PEAK), (down, BASE)]
        if not lab.quick:
            points += [(80, BASE), (80, PEAK), (90, PEAK), (90, BASE)]
        self.up_s, self.down_s = up, down
        return Profile(tuple((float(t), rate) for t, rate in points)), end

    def _steps(self) -> list[tuple[float, int]]:
        """(seconds, replicas): what the policy does about the step, when a full replica looks fully used."""
        policy, now, count, steps = TargetTracking(TARGET, 1, MOST), self.up_s, 1, [(0.0, 1)]
        while True:
            busy = min(1.0, PEAK * self.service_s / (count * THREADS))
            wanted = policy(Observation(now, count, busy))
            if wanted == count:
                return steps
            now, count = now + PERIOD_S + SAYS_WITHIN_S + self.start_s, wanted
            steps.append((now, count))

    def _late_s(self, steps: list[tuple[float, int]]) -> float:
        bearable_s = SLO_MS / 1000 - self.service_s
        found = fluid(self.profile.rate, self._capacity(steps), self.down_s, bearable_s=bearable_s, patience_s=SHED_S)
        return found.late_s

    def _capacity(self, steps: list[tuple[float, int]]) -> Callable[[float], float]:
        def capacity(t: float) -> float:
            count = [n for at_s, n in steps if at_s <= t][-1]
            return count * THREADS / self.service_s

        return capacity

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            for name, count in ((FIXED_SMALL, 1), (FIXED_LARGE, MOST))[: 1 if lab.quick else 2]:
                lab.system.scale(payments=count)
                with self._arm(lab, name) as arm:
                    arm.wait_until(self.seconds)
            lab.system.scale(payments=1)
            with self._arm(lab, SCALED) as arm:
                self._autoscaled(lab, arm)

    def _arm(self, lab: Lab, name: str) -> AbstractContextManager[Arm]:
        return lab.arm(name, Open(self.profile, {"charge": 1}, "constant"), warm_up_s=1)

    def _autoscaled(self, lab: Lab, arm: Arm) -> None:
        policy = TargetTracking(TARGET, 1, MOST)

        def noted(seen: Observation) -> int:
            if (wanted := policy(seen)) != seen.replicas:
                arm.event("scaled", f"{seen.replicas} to {wanted}, at a utilisation of {seen.utilisation:.0%}")
            return wanted

        with Autoscaler(lab.system, "payments", threads=THREADS, route=ROUTE, policy=noted):
            arm.wait_until(self.seconds)

    def judge(self, lab: Lab) -> None:
        arms = {name: lab.of(name)[0] for name in (FIXED_SMALL, FIXED_LARGE, SCALED) if lab.of(name)}
        late = {name: late_s(found, self.up_s, self.down_s) for name, found in arms.items()}
        spent = {name: replica_seconds(found) for name, found in arms.items()}
        counts = arms[SCALED].over_time(PAYMENTS, "replicas")
        most = max((count for t, count in counts if t < self.down_s), default=0.0)
        lab.check(self.count, most, within=0.01)
        lab.check(self.late, late[SCALED], within=0.5)
        for name in arms:
            lab.require(f"seconds out of the promise, {name}", late[name], at_least=0, unit="s", why="reported")
            lab.require(f"replica-seconds, {name}", spent[name], at_least=0, unit="s", why="reported")
        lab.require("out of the promise: autoscaled / one replica", late[SCALED] / late[FIXED_SMALL], at_most=0.8)
        lab.require(
            f"replica-seconds: autoscaled / {MOST} replicas", spent[SCALED] / (MOST * self.seconds), at_most=0.9
        )
        title = f"Charges of {BANK_MS} ms"
        lab.plot(scaling_timeline(arms, PAYMENTS, SLO_MS, lab.folder.path, "scaling", title))


def late_s(found: Measured, begin_s: float, end_s: float) -> float:
    """Seconds in which the p95 was above the promise, or somebody was refused."""
    seen = timeline(found.samples, edges(begin_s, end_s), (0.95,))
    slow = np.nan_to_num(seen.percentiles_ms[0.95], nan=0.0) > SLO_MS
    return float((slow | (seen.failed > 0)).sum())


def replica_seconds(found: Measured) -> float:
    return float(np.mean([count for _, count in found.over_time(PAYMENTS, "replicas")])) * found.end_s
