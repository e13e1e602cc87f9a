"""Everybody wants the same product: do more replicas of inventory help? And if everybody wants another one?

A reservation locks its product's row until it is committed. Where a commit takes long, as on a database that waits for
a copy in another place, the row is what everybody queues for. SQLite has one lock for the whole database, so every row
of it is hot; this needs a PostgreSQL, whose commits are made to take 40 ms.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.postgres_server import NoPostgres, own_server, postgres_database
from loadtests.lab.errors import LoadBroke
from loadtests.lab.experiment import DATABASE, Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Closed
from loadtests.lab.plots import curve
from loadtests.lab.plots.curves import Measured as Point
from loadtests.lab.plots.curves import Predicted
from loadtests.lab.statistics import mean_interval
from loadtests.lab.verdict import Prediction
from loadtests.model.scaling import amdahl, serial_share

COMMIT_MS, THREADS, MANY = 40, 2, 100
REPLICAS, QUICK_REPLICAS = (1, 2, 4), (1, 4)
USERS_PER_REPLICA = 4 * THREADS
SERIAL = {"one hot product": 1.0, "many products": 0.0}
SKUS = {"one hot product": 1, "many products": MANY}
AMDAHL = "Amdahl, AFIPS 1967: what is done under one lock is done one after the other"


@contextmanager
def slow_database(lab: Lab) -> Iterator[None]:
    """Inventory on a PostgreSQL whose commits take COMMIT_MS, and of whose events nobody hears."""
    slow = {"fsync": "on", "commit_delay": str(1000 * COMMIT_MS), "commit_siblings": "0"}
    try:
        with own_server(**slow) as server, postgres_database(server) as url:
            lab.use(INVENTORY__DATABASE_URL=url, INVENTORY__THREADS=str(THREADS), INVENTORY__EVENT_ROUTES="{}")
            try:
                yield
            finally:
                lab.system.down()
    except NoPostgres as error:
        raise LoadBroke(str(error)) from None


class Contention(Experiment):
    number = 4
    title = "Reservations of one hot product and of many"
    question = "If everybody wants the same product, do replicas help? If everybody wants another one, do they?"
    needs = frozenset({DATABASE})

    def predict(self, lab: Lab) -> None:
        """One customer alone: how long a reservation takes is how long its row is locked, but for little."""
        lab.enter(slow_database(lab))
        alone = lab.measure("one customer alone", Closed(1, {"reserve": 1}), lab.seconds(20, 4), warm_up_s=1.5)
        self.alone_s = alone.mean_ms("reserve") / 1000
        self.replicas = QUICK_REPLICAS if lab.quick else REPLICAS
        self.rates = {(what, n): self._predict_rate(lab, what, n) for what in SERIAL for n in self.replicas}

    def _predict_rate(self, lab: Lab, what: str, n: int) -> Prediction:
        return lab.predict(
            f"{what}: reservations a second with {_replicas(n)}", self._rate(what, n), "1/s",
            formula="X = 1/R for one row; for many X = m/R * 1 / (s + (1 - s)/n) with s = 0",
            tex=r"X = \frac{m}{R} \cdot \frac{1}{\sigma + (1 - \sigma)/n}", source=AMDAHL, n=(n, "replicas"),
            R=(self.alone_s, "s"), s=(SERIAL[what], ""), m=(self._at_once(what), "at once"),
        )  # fmt: skip

    def _at_once(self, what: str) -> int:
        return 1 if SERIAL[what] else THREADS

    def _rate(self, what: str, n: float) -> float:
        return self._at_once(what) / self.alone_s * amdahl(n, SERIAL[what])

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            for n in self.replicas:
                lab.say(f"scaling inventory to {n}")
                lab.system.scale(inventory=n)
                for what, skus in SKUS.items():
                    load = Closed(USERS_PER_REPLICA * n, {"reserve": 1}, skus=skus)
                    lab.measure(_arm(what, n), load, lab.seconds(20, 5), warm_up_s=1.5)

    def judge(self, lab: Lab) -> None:
        for (what, n), made in self.rates.items():
            lab.check(made, _mean_rate(lab, what, n), within=0.25)
        last = max(self.replicas)
        for what, serial in SERIAL.items():
            speed_up = _mean_rate(lab, what, last) / _mean_rate(lab, what, 1)
            share = serial_share(last, speed_up)
            bounds = {"at_least": 0.8} if serial else {"at_most": 0.2}
            lab.require(f"{what}: serial share of the work (Karp and Flatt)", share, **bounds)
        failed = sum(float((~found.requests.ok).sum()) for found in lab.measured)
        lab.require("failed requests", failed, at_most=0, unit="requests")
        self._draw(lab)

    def _draw(self, lab: Lab) -> None:
        points = [_point(lab, what, n) for what in SERIAL for n in self.replicas]
        xs = [1 + 0.1 * step for step in range(10 * max(self.replicas) - 9)]
        lines = [Predicted(f"{what}, predicted", xs, [self._rate(what, x) for x in xs]) for what in SERIAL]
        title = f"Reservations by replicas, where a commit takes {COMMIT_MS} ms"
        lab.plot(curve(points, lines, lab.folder.path, "contention", title, "replicas", "reservations a second"))


def _replicas(n: int) -> str:
    return f"{n} replica{'s' if n > 1 else ''}"


def _arm(what: str, n: int) -> str:
    return f"{what}, {_replicas(n)}"


def _mean_rate(lab: Lab, what: str, n: int) -> float:
    return mean_interval([found.throughput() for found in lab.of(_arm(what, n))]).value


def _point(lab: Lab, what: str, n: int) -> Point:
    rate = mean_interval([found.throughput() for found in lab.of(_arm(what, n))])
    return Point(n, rate.value, rate.low, rate.high, what)
