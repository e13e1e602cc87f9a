"""How does the response time grow with the load, up to where the threads are all busy? Which queue says it best?

One replica of payments charges the bank while its callers wait. It has four threads, the bank takes 50 ms, so it is a
queue with four servers whose service times hardly differ: M/G/c. M/M/c, which takes them for exponential, stands
beside it, to show what the variability is worth.
"""

import numpy as np

from loadtests.lab.experiment import INSTANCES, Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Closed, Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import curve, latency_distribution
from loadtests.lab.plots.curves import Measured as Point
from loadtests.lab.plots.curves import Predicted
from loadtests.lab.statistics import batch_means_interval
from loadtests.lab.verdict import Prediction
from loadtests.model.queues import mgc, mmc

THREADS, BANK_MS = 4, 50
FEW = THREADS // 2  # users who ask without a pause: none waits for a thread, and the threads are warm as under load
JUDGED, BEYOND = (0.3, 0.5, 0.7, 0.78), (0.9,)
LEE_LONGTON = "Lee and Longton, Operational Research Quarterly 10, 1959"


class Saturation(Experiment):
    number = 2
    title = "Response time of payments up to its saturation"
    question = "Does a queue with as many servers as payments has threads say how long a charge takes at each load?"
    needs = frozenset({INSTANCES})
    settings = {"PAYMENTS__THREADS": str(THREADS), "BANK__THREADS": "40"}

    def predict(self, lab: Lab) -> None:
        """The service time and its variability, where nobody waits; then the queue for each load."""
        self.judged = JUDGED[1:] if lab.quick else JUDGED
        lab.system.bank(latency_ms=BANK_MS)
        alone = lab.measure("nobody waits", Closed(FEW, {"charge": 1}), lab.seconds(30, 5))
        times_s = alone.latencies_ms("charge") / 1000
        self.service_s, self.cv = float(times_s.mean()), float(np.std(times_s, ddof=1) / times_s.mean())
        self.capacity = THREADS / self.service_s
        self.means = {u: self._predict_mean(lab, u) for u in (*self.judged, *BEYOND)}
        self.most = lab.predict(
            "the most charges a second", self.capacity, "1/s", formula="X_max = c / S", tex=r"X_\max = \frac{c}{S}",
            source="utilisation law at 100 %", c=(THREADS, "threads"), S=(self.service_s, "s"),
        )  # fmt: skip

    def _predict_mean(self, lab: Lab, utilisation: float) -> Prediction:
        rate = utilisation * self.capacity
        return lab.predict(
            f"mean response at {utilisation:.0%} of the threads", 1000 * self._model(rate), "ms",
            formula="R = S + (1 + cv^2)/2 * C(c, l S) S / (c - l S)",
            tex=r"R = S + \frac{1 + c_v^2}{2} \cdot \frac{C(c, \lambda S)\,S}{c - \lambda S}", source=LEE_LONGTON,
            l=(rate, "1/s"), S=(self.service_s, "s"), cv=(self.cv, ""), c=(THREADS, "threads"),
        )  # fmt: skip

    def _model(self, rate: float) -> float:
        return mgc(rate, self.service_s, THREADS, self.cv).response_s

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            for utilisation in (*self.judged, *BEYOND):
                load = Open(utilisation * self.capacity, {"charge": 1})
                lab.measure(_arm(utilisation), load, lab.seconds(60, 6), warm_up_s=1.5)
            lab.measure("always somebody waits", Closed(4 * THREADS, {"charge": 1}), lab.seconds(30, 4), warm_up_s=1.5)

    def judge(self, lab: Lab) -> None:
        for utilisation in self.judged:
            lab.check(self.means[utilisation], _mean_ms(lab, utilisation), within=0.20)
        for utilisation in BEYOND:
            why = "near saturation a mean needs far longer to settle"
            lab.show(self.means[utilisation], _mean_ms(lab, utilisation), why)
        lab.check(self.most, lab.of("always somebody waits")[0].throughput(), within=0.10)
        failed = sum(float((~found.requests.ok).sum()) for found in lab.measured)
        lab.require("failed requests", failed, at_most=0, unit="requests")
        self._draw(lab)

    def _draw(self, lab: Lab) -> None:
        points = [_point(found, self.capacity) for u in (*self.judged, *BEYOND) for found in lab.of(_arm(u))]
        loads = [0.02 * step for step in range(1, 48)]
        models = (("M/G/c, with the measured variability", self._model), ("M/M/c", self._exponential))
        lines = [Predicted(name, loads, [1000 * model(u * self.capacity) for u in loads]) for name, model in models]
        title, caption = (
            "Mean response time by load",
            f"{THREADS} threads, S = {1000 * self.service_s:.1f} ms, cv = {self.cv:.2f}",
        )
        lab.plot(
            curve(
                points, lines, lab.folder.path, "response", title, "busy share of the threads", "mean response, ms",
                caption, limit=(1.0, "capacity"),
            )
        )  # fmt: skip
        groups = {_arm(u): _both(lab.of(_arm(u))[0]) for u in (self.judged[0], self.judged[-1], BEYOND[-1])}
        lab.plot(latency_distribution(groups, lab.folder.path, "latency", "Latency by load"))

    def _exponential(self, rate: float) -> float:
        return mmc(rate, self.service_s, THREADS).response_s


def _arm(utilisation: float) -> str:
    return f"{utilisation:.0%} of the threads busy"


def _mean_ms(lab: Lab, utilisation: float) -> float:
    return float(np.mean([found.mean_ms("charge") for found in lab.of(_arm(utilisation))]))


def _point(found: Measured, capacity: float) -> Point:
    sure = batch_means_interval(found.latencies_ms("charge"))
    return Point(found.offered("charge") / capacity, sure.value, sure.low, sure.high)


def _both(found: Measured) -> tuple[np.ndarray, np.ndarray]:
    good = found.steady.where(found.steady.ok)
    return good.latency_ms, good.response_ms
