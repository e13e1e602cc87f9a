"""What do more replicas bring where a request mostly waits, and can four of them tell what eight will do?

Payments charges the bank while its caller waits. Its replicas have two threads each, and the bank takes 200 ms, so a
replica can do no more than ten charges a second, and the machine has room for eight of them.
"""

from loadtests.lab.experiment import INSTANCES, Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Closed
from loadtests.lab.measured import Measured
from loadtests.lab.plots import curve
from loadtests.lab.plots.curves import Measured as Point
from loadtests.lab.plots.curves import Predicted
from loadtests.lab.statistics import mean_interval
from loadtests.model.fitting import fit_usl

FITTED, VALIDATED = (1, 2, 3, 4), 8
THREADS, BANK_MS = 2, 200
USERS_PER_REPLICA = 4 * THREADS  # so many more than threads that none has nothing to do
USL = "Universal Scalability Law, Gunther, Guerrilla Capacity Planning, 2007, chapter 4"


class ScaleOut(Experiment):
    number = 3
    title = "Throughput of payments with 1, 2, 3, 4 and 8 replicas"
    question = "Does the law that is fitted to 1 to 4 replicas of payments say what 8 of them can do?"
    needs = frozenset({INSTANCES})
    settings = {"PAYMENTS__THREADS": str(THREADS), "BANK__THREADS": "40"}
    repeats = 3

    def predict(self, lab: Lab) -> None:
        """One to four replicas are measured, the law is fitted to them, and what it says of eight is put down."""
        lab.system.bank(latency_ms=BANK_MS)
        for _ in lab.repeats():
            for replicas in FITTED:
                self._measure(lab, replicas)
        pairs = [(n, found.throughput()) for n in FITTED for found in lab.of(_arm(n))]
        self.law = fit_usl([n for n, _ in pairs], [rate for _, rate in pairs])
        self.at_eight = lab.predict(
            f"throughput with {VALIDATED} replicas", self.law.value(VALIDATED), "1/s",
            formula="X(n) = l n / (1 + s (n - 1) + k n (n - 1))",
            tex=r"X(n) = \frac{\lambda n}{1 + \sigma (n-1) + \kappa n (n-1)}", source=USL, n=(VALIDATED, "replicas"),
            l=(self.law.one, "1/s"), s=(self.law.contention, ""), k=(self.law.coherency, ""),
        )  # fmt: skip
        ceiling = VALIDATED * THREADS / (BANK_MS / 1000)
        self.ceiling = lab.predict(
            "the most that eight could do", ceiling, "1/s", formula="X <= n m / Z", tex=r"X \le \frac{n\,m}{Z}",
            source="utilisation law: each of m threads waits for the bank in every charge",
            n=(VALIDATED, "replicas"), m=(THREADS, "threads"), Z=(BANK_MS / 1000, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            self._measure(lab, VALIDATED)

    def judge(self, lab: Lab) -> None:
        eight = mean_interval([found.throughput() for found in lab.of(_arm(VALIDATED))])
        lab.check(self.at_eight, eight.value, within=0.10)
        lab.require(
            "throughput with 8 replicas, below the ceiling", eight.value, at_most=self.ceiling.value, unit="1/s"
        )
        failed = sum(float((~found.requests.ok).sum()) for found in lab.measured)
        lab.require("failed requests", failed, at_most=0, unit="requests")
        busiest = max(found.host_share for found in lab.of(_arm(VALIDATED)))
        lab.require("busy share of the machine with 8 replicas", busiest, at_most=0.6, why="so that it is no limit")
        self._draw(lab)

    def _measure(self, lab: Lab, replicas: int) -> Measured:
        lab.say(f"scaling payments to {replicas}")
        lab.system.scale(payments=replicas)
        load = Closed(USERS_PER_REPLICA * replicas, {"charge": 1})
        return lab.measure(_arm(replicas), load, lab.seconds(20, 6), warm_up_s=1.5)

    def _draw(self, lab: Lab) -> None:
        points = []
        for n in (*FITTED, VALIDATED):
            rate = mean_interval([found.throughput() for found in lab.of(_arm(n))])
            kind = "validation" if n == VALIDATED else "measured"
            points.append(Point(n, rate.value, rate.low, rate.high, kind))
        xs = [1 + 0.1 * step for step in range(10 * VALIDATED - 9)]
        bands = [self.law.prediction(x) for x in xs]
        law = Predicted(
            "USL, fitted to 1 to 4", xs, [b.value for b in bands], [b.low for b in bands], [b.high for b in bands]
        )
        linear = Predicted("no loss at all", xs, [self.law.one * x for x in xs])
        title = "Charges a second by replicas of payments"
        lab.plot(curve(points, [law, linear], lab.folder.path, "scale-out", title, "replicas", "charges a second"))


def _arm(replicas: int) -> str:
    return f"{replicas} replica{'s' if replicas > 1 else ''}"
