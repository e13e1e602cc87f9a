"""One of three replicas of catalog is slower than the others: it answers everything, and no time-out finds it."""

import numpy as np

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import Outcome, arrivals_s, at_most, draw, none_fails, outcome, pick, replicas, slowed
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.statistics import percentile
from loadtests.lab.watching import Watch, left_out

RATE, REPLICAS = 120.0, 3
SLOW_MS = 200
READS = 5  # more than half of the last eight, gateway/outliers.py: then their median is slow
LOOK_S, CHECK_S = 0.1, 0.1
OFF, ON = "outliers stay", "outliers are left out"


class ReplicaSlow(Experiment):
    number = 10
    paced = True
    title = "A replica is slow"
    question = "One of three replicas takes 200 ms longer: what is it worth to leave it out?"
    # Twice the threads, so that what is slow is the replica and not a queue before it.
    settings = {"CATALOG__THREADS": "16", "EJECTION_S": "0"}
    audited = True

    def predict(self, lab: Lab) -> None:
        self.p95 = lab.predict(
            f"p95 while it is slow, {OFF}", SLOW_MS, "ms", formula="a third of all is slow, and that is more than 5 %",
            tex=r"p_{95} \approx d,\ \frac{1}{n} > 0.05", source="percentile of a mixture", d=(SLOW_MS, "ms"),
            n=(REPLICAS, "replicas"),
        )  # fmt: skip
        self.share = lab.predict(
            f"share of slow requests, {OFF}", 1 / REPLICAS, "", formula="1 / n", tex=r"\frac{1}{n}",
            source="round robin sends each replica as much", n=(REPLICAS, "replicas"),
        )  # fmt: skip
        rate = lab.rate(RATE)
        bound_s = arrivals_s(READS, REPLICAS, rate) + SLOW_MS / 1000 + LOOK_S + CHECK_S
        # So long that what is slow before it is left out is at most half of the 5 % beyond the p95.
        self.slow_s = max(lab.seconds(20, 6), bound_s / REPLICAS / 0.025)
        self.noticed = lab.predict(
            f"{ON}: within", bound_s, "s",
            formula="99 % of the Erlang time of the k n-th read, its answer, one look, one check of the configuration",
            tex=r"t_{0.99} = F^{-1}_{\mathrm{Erlang}(k n,\,\lambda)}(0.99) + d + t_\ell + t_c",
            source="Kleinrock, Queueing Systems I, 1975, section 2.4; gateway/outliers.py",
            k=(READS, "reads"), n=(REPLICAS, "replicas"), rate=(rate, "1/s"), d=(SLOW_MS / 1000, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        self.found = {OFF: self._arm(lab, OFF)}
        lab.use(EJECTION_S="30")
        self.found[ON] = self._arm(lab, ON)

    def _arm(self, lab: Lab, name: str) -> Outcome:
        replicas(lab, catalog=REPLICAS)
        row = pick(lab.system, "catalog")
        victim = row["id"]
        with lab.arm(name, Open(lab.rate(RATE), {"page": 1})) as arm:
            arm.wait(lab.seconds(30, 7))
            with (
                Watch(arm, left_out(lab.system, victim), "the gateway leaves it out"),
                arm.fault(f"{victim} is {SLOW_MS} ms slower"),
                slowed(lab.system, row, SLOW_MS),
            ):
                arm.wait(self.slow_s)
            arm.wait(lab.seconds(30, 6))
        return outcome(lab, arm, f"{victim} is {SLOW_MS} ms slower", victim=victim)

    def judge(self, lab: Lab) -> None:
        during = {name: self._during(found) for name, found in self.found.items()}
        for found in self.found.values():
            none_fails(lab, found)
        lab.check(self.p95, percentile(during[OFF], 0.95), within=0.15)
        lab.check(self.share, float((during[OFF] >= SLOW_MS).mean()), within=0.15)
        at_most(lab, self.noticed, self.found[ON].fault.detection_s)
        lab.require(
            f"p95 while it is slow, {ON}", percentile(during[ON], 0.95), at_most=SLOW_MS / 2, unit="ms",
            why="as if there were no slow replica",
        )  # fmt: skip
        draw(lab, self.found, "catalog", f"A replica of catalog is {SLOW_MS} ms slower")

    def _during(self, found: Outcome) -> np.ndarray:
        """Latency in ms of good answers while the replica was slow."""
        part = found.measured.requests.between(found.fault.begin_s, found.fault.end_s)
        return part.latency_ms[part.ok]
