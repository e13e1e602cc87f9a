"""Far more requests than can be served, for a while: with a long queue, and with most of it turned away."""

import numpy as np

from loadtests.lab.errors import CannotRun
from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import Outcome, at_most, draw, outcome, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.statistics import percentile
from loadtests.shapes import spike

REPLICAS, THREADS, SERVICE_S = 2, 8, 0.1  # a page takes so long by a fault, so that no processor is the limit
CAPACITY = REPLICAS * THREADS / SERVICE_S
BASE, PEAK = 100.0, 400.0
PATIENCE_S = 1.0  # an answer that takes longer is worth nothing to a customer
TIMEOUT_S, TRY_S, TRIES = 5.0, 0.7, 2  # what the gateway gives a page, and short tries before, fleet.toml
PLACES = 2  # requests at an instance for each of its threads, CONNECTIONS_PER_THREAD
NEVER = {"CONNECTIONS_PER_THREAD": "0", "SHED_AFTER_MS": "0", "MOST_OPEN_ORDERS": "1000000"}
ALWAYS = {"CONNECTIONS_PER_THREAD": "2", "SHED_AFTER_MS": "2500", "MOST_OPEN_ORDERS": "200"}
OFF, ON = "nobody is turned away", "shedding"


class Overload(Experiment):
    number = 15
    paced = True
    title = "Overload"
    question = "More than twice as much comes as can be served: is it better to let all wait, or to turn some away?"
    settings = NEVER
    audited = True

    def predict(self, lab: Lab) -> None:
        # Slower answers and not fewer threads: the gateway knows from fleet.toml for how many it has places.
        self.last_s, self.service_s = lab.seconds(20, 8), SERVICE_S / lab.pace
        if (PLACES + 1) * self.service_s > TRY_S:
            raise CannotRun("overload needs a --pace of at least 0.43: below it who waits loses his first try")
        capacity, peak = lab.rate(CAPACITY), lab.rate(PEAK)
        values = {"n": (REPLICAS, "replicas"), "c": (THREADS, "threads"), "S": (self.service_s, "s")}
        self.served = lab.predict(
            f"answered within {PATIENCE_S:g} s while it lasts, {ON}", capacity, "1/s", formula="n * c / S",
            tex=r"X = \frac{n\,c}{S}", source="bottleneck law, Denning and Buzen, 1978", **values,
        )  # fmt: skip
        self.p99 = lab.predict(
            f"p99 of what is answered, {ON}", 1000 * PLACES * self.service_s, "ms",
            formula="places for each thread * S", tex=r"R \le m\,S", source="nobody waits behind more than one other",
            m=(PLACES, "places"), **values,
        )  # fmt: skip
        waits_s = min(TRIES * TRY_S + TIMEOUT_S, (peak - capacity) * self.last_s / capacity)
        self.slowest = lab.predict(
            f"longest wait, {OFF}", 1000 * waits_s, "ms", formula="min(2 * try + timeout, (peak - X) * T / X)",
            tex=r"W = \min\left(2\,t_{try} + t_{out},\ \frac{(\lambda - X)\,T}{X}\right)",
            source="a fluid queue, Kleinrock, Queueing Systems II, 1976, section 2.7",
            peak=(peak, "1/s"), X=(capacity, "1/s"), T=(self.last_s, "s"), timeout=(TIMEOUT_S, "s"),
            **{"try": (TRY_S, "s")},
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        self.found = {OFF: self._arm(lab, OFF)}
        lab.use(**ALWAYS)
        self.found[ON] = self._arm(lab, ON)

    def _arm(self, lab: Lab, name: str) -> Outcome:
        replicas(lab, catalog=REPLICAS)
        lab.system.fault("catalog", "delay", ms=int(1000 * self.service_s))
        begin_s, peak = lab.seconds(30, 8), lab.rate(PEAK)
        with lab.arm(name, Open(spike(lab.rate(BASE), peak, begin_s, self.last_s), {"page": 1})) as arm:
            arm.wait_until(begin_s)
            with arm.fault(f"{peak:g} requests a second come"):
                arm.wait_until(begin_s + self.last_s)
            arm.wait(lab.seconds(40, 8))
        refused = lab.measured[-1].requests
        first = refused.scheduled_s[(refused.status == 503) & (refused.scheduled_s >= begin_s)]
        if first.size and name == ON:
            arm.event("detected", "the first is turned away", float(first.min()))
        return outcome(lab, arm, f"{peak:g} requests a second come")

    def judge(self, lab: Lab) -> None:
        good = {name: self._in_time(found) for name, found in self.found.items()}
        lab.check(self.served, good[ON], within=0.15)
        at_most(lab, self.p99, percentile(self._during(self.found[ON]), 0.99) - 1000 * self.service_s / 2)
        lab.check(self.slowest, float(self._during(self.found[OFF]).max()), within=0.2)
        lab.require(
            "in time with shedding, for each one in time without", good[ON] / max(good[OFF], 1.0), at_least=1.5,
            why="a long queue makes every answer late",
        )  # fmt: skip
        title = f"{lab.rate(PEAK):g} requests a second, and room for {lab.rate(CAPACITY):g}"
        draw(lab, self.found, "catalog", title)

    def _during(self, found: Outcome) -> np.ndarray:
        """Latency in ms of the good answers to what came in the peak."""
        part = found.measured.requests.between(found.fault.begin_s, found.fault.end_s)
        return part.latency_ms[part.ok]

    def _in_time(self, found: Outcome) -> float:
        """Answers a second in the peak that did not take longer than a customer waits."""
        return float((self._during(found) <= 1000 * PATIENCE_S).sum()) / (found.fault.end_s - found.fault.begin_s)
