"""A short peak makes requests wait; what waits is tried again; so more come, and wait longer, when it is long over."""

import json
import re

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import Outcome, at_most, draw, outcome, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.statistics import percentile
from loadtests.lab.watching import Watch, logged
from loadtests.model.retries import attempts, effective_load, failures_by_timeout
from loadtests.shapes import spike

REPLICAS, THREADS, SERVICE_S = 2, 8, 0.1  # a page takes so long by a fault, so that no processor is the limit
CAPACITY = REPLICAS * THREADS / SERVICE_S
BASE, PEAK, PEAK_S = 90.0, 240.0, 4.0
TRY_S, TRIES = 0.7, 3  # two short tries and a long one, gateway/README.md
BUDGET = 0.2  # TRY_BUDGET
SETTLED_S = 8.0  # after the peak: what has been tried since
OFF, ON = "no budget", "budget"
ADDRESS = re.compile(r":\d+")


class RetryStorm(Experiment):
    number = 14
    paced = True
    title = "A retry storm"
    question = (
        "A peak of four seconds is over: do retries keep the system down, and does a budget for them bring it back?"
    )
    # Nothing else acts: no places at the gateway, no shedding, nobody left out; so it is the budget that is judged.
    settings = {"CONNECTIONS_PER_THREAD": "0", "SHED_AFTER_MS": "0", "EJECTION_S": "0", "TRY_BUDGET": "0"}
    audited = True

    def predict(self, lab: Lab) -> None:
        # Fewer threads and not slower answers: those would be nearer to the end of a try.
        self.threads = max(1, round(lab.rate(THREADS)))
        self.share = self.threads / THREADS
        base, capacity = BASE * self.share, CAPACITY * self.share
        failure_at = failures_by_timeout(capacity, TRY_S)
        without, within = (effective_load(base, failure_at, TRIES, budget) for budget in (None, BUDGET))
        values = {"rate": (base, "1/s"), "capacity": (capacity, "1/s"), "try": (TRY_S, "s"), "t": (TRIES, "tries")}
        source = "Bronson et al., Metastable Failures in Distributed Systems, HotOS 2021; loadtests/model/retries.py"
        self.storm = lab.predict(
            f"tries for each request, {OFF}", without.storm / base, "", formula="attempts(p = 1), which lasts",
            tex=r"x = \lambda\,\frac{1 - p(x)^t}{1 - p(x)},\quad p(x) = e^{-(\mu - x)\,t_{try}}", source=source,
            **values,
        )  # fmt: skip
        self.slow = lab.predict(
            f"p50, {OFF}", 1000 * (TRIES * TRY_S + SERVICE_S), "ms", formula="t * try + S",
            tex=r"R = t\,t_{try} + S", source="the queue stays as long as it has to be for a try to run out",
            S=(SERVICE_S, "s"), **values,
        )  # fmt: skip
        self.calm = lab.predict(
            f"tries for each request, {ON}", attempts(1, TRIES, BUDGET), "", formula="at most 1 + b",
            tex=r"\frac{x}{\lambda} \le 1 + b", source=source, b=(BUDGET, "tries that may run out"),
            settles=(within.storm, "1/s"), **values,
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        self.tries: dict[str, float] = {}
        lab.use(CATALOG__THREADS=str(self.threads))
        self.found = {OFF: self._arm(lab, OFF)}
        lab.use(TRY_BUDGET=f"{100 * BUDGET:g}")
        self.found[ON] = self._arm(lab, ON)

    def _arm(self, lab: Lab, name: str) -> Outcome:
        replicas(lab, catalog=REPLICAS)
        lab.system.fault("catalog", "delay", ms=int(1000 * SERVICE_S))
        begin_s, place, peak = lab.seconds(30, 8), lab.system.place, PEAK * self.share
        with lab.arm(name, Open(spike(BASE * self.share, peak, begin_s, PEAK_S), {"page": 1})) as arm:
            arm.wait_until(begin_s)
            with (
                Watch(arm, logged(lab.system, "gateway", "most tries run out"), "the gateway tries no more"),
                arm.fault(f"{peak:g} requests a second come"),
            ):
                arm.wait_until(begin_s + PEAK_S)
            arm.wait(SETTLED_S)
            seen = len(place.access_log())
            arm.wait(lab.seconds(40, 7))
            self.tries[name] = _tries(place.access_log(seen))
        return outcome(lab, arm, f"{peak:g} requests a second come for {PEAK_S:g} s")

    def judge(self, lab: Lab) -> None:
        lab.check(self.storm, self.tries[OFF], within=0.2)
        lab.check(self.slow, self._late_p50(self.found[OFF]), within=0.2)
        at_most(lab, self.calm, self.tries[ON])
        lab.require(
            f"p50, {ON}", self._late_p50(self.found[ON]), at_most=1000 * TRY_S, unit="ms",
            why="no queue in which a try could run out",
        )  # fmt: skip
        title = f"A peak of {PEAK_S:g} s, and what retries make of it"
        draw(lab, self.found, "catalog", title, "Before and after the peak both arms are offered the same load.")

    def _late_p50(self, found: Outcome) -> float:
        part = found.measured.requests.between(found.fault.end_s + SETTLED_S, found.measured.end_s)
        return percentile(part.latency_ms[part.ok], 0.5)


def _tries(log: bytes) -> float:
    """Instances asked for each request, by the whole lines of the gateway's log."""
    rows = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith(b"\n")]
    asked = [len(ADDRESS.findall(row["upstream"])) for row in rows if "/products" in row["path"]]
    return sum(asked) / len(asked) if asked else float("nan")
