"""Who gets the next request? Each way of choosing among three replicas of catalog, all equal, and one of them slow.

At the gateway nginx chooses; between services the caller does, with the strategies of the chassis. The slow replica
adds 80 ms to each answer: slow enough to be felt, not so slow that the gateway would leave it out altogether.
"""

from loadtests.lab.experiment import INSTANCES, Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import cpu_bars, latency_distribution
from loadtests.lab.spread import check_spread, promised_shares
from loadtests.lab.verdict import Prediction

REPLICAS, RATE, SLOWER_MS = 3, 100.0, 80
GATEWAY, CALLER = ("round_robin", "least_conn", "random_two"), ("round_robin", "random", "p2c", "weighted")
QUICK = {"gateway least_conn", "gateway random_two", "gateway round_robin", "caller random", "caller p2c"}
BLIND = ("round_robin", "random", "weighted")  # they look at nothing but the list of replicas
FADES_S = 14  # p2c forgets what it measured within this time: services/chassis/load.py
LEAST = "an idle replica gets one of n arrivals, a busy one none: one request in d + n / rate seconds"


class Balancing(Experiment):
    number = 5
    paced = True
    title = "How requests are spread over replicas, equal and with a slow one"
    question = "Does each strategy spread requests over equal replicas as it says, and what does it send to a slow one?"
    needs = frozenset({INSTANCES})

    def predict(self, lab: Lab) -> None:
        lab.say(f"scaling catalog to {REPLICAS}")
        lab.system.scale(catalog=REPLICAS)
        self.chosen = [f"{who} {what}" for who, every in (("gateway", GATEWAY), ("caller", CALLER)) for what in every]
        self.chosen = [name for name in self.chosen if name in QUICK or not lab.quick]
        self.shares = {name: self._predict_share(lab, name) for name in self.chosen}

    def _predict_share(self, lab: Lab, name: str) -> Prediction:
        strategy, rate = name.split()[1], lab.rate(RATE)
        slow_s, common = SLOWER_MS / 1000, {"n": (REPLICAS, "replicas")}
        about = f"share of the slow replica, {name}"
        if strategy in BLIND:
            formula, tex, source = "p = 1 / n", r"p = \frac{1}{n}", "it looks at nothing but the list of replicas"
            return lab.predict(about, 1 / REPLICAS, "", formula=formula, tex=tex, source=source, **common)
        if strategy == "p2c":
            return lab.predict(
                about, 1 / (rate * FADES_S), "", formula="p = 1 / (rate t)", tex=r"p = \frac{1}{\lambda t}",
                source="one request tells that it is slow, and after t seconds that is forgotten",
                rate=(rate, "1/s"), t=(FADES_S, "s"),
            )  # fmt: skip
        return lab.predict(
            about, 1 / (rate * slow_s + REPLICAS), "", formula="p = 1 / (rate d + n)",
            tex=r"p = \frac{1}{\lambda d + n}", source=LEAST, rate=(rate, "1/s"), d=(slow_s, "s"), **common,
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            for name in self.chosen:
                self._measure(lab, name, "all equal")
            slow = sorted(lab.system.healthy("catalog"))[0]
            lab.system.fault("catalog", "delay", instance=slow, ms=SLOWER_MS)
            for name in self.chosen:
                self._measure(lab, name, "one slow")
            lab.system.fault("catalog", "off")
        self.slow = slow

    def _measure(self, lab: Lab, name: str, condition: str) -> Measured:
        who, strategy = name.split()
        if who == "gateway":
            lab.system.balance("catalog", strategy)
        rate = lab.rate(RATE)
        load = (
            Open(rate, {"fresh_product": 1}) if who == "gateway" else Open(rate, {"direct_product": 1}, direct=strategy)
        )
        # As many requests at any pace: of fewer, chance would make other shares.
        return lab.measure(f"{name}, {condition}", load, lab.seconds(20, 2.5) / lab.pace, warm_up_s=0.5)

    def judge(self, lab: Lab) -> None:
        for name in self.chosen:
            for equal in lab.of(f"{name}, all equal"):
                self._judge_equal(lab, name, equal)
            counts = _summed(lab.of(f"{name}, one slow"))
            share = counts.get(self.slow, 0) / sum(counts.values())
            made = self.shares[name]
            if name.endswith("p2c"):
                lab.require(made.name, share, at_most=0.02, why="a request or two, until its slowness is known")
            else:
                lab.check(made, share, within=0.25)
        failed = sum(float((~found.requests.ok).sum()) for found in lab.measured)
        lab.require("failed requests", failed, at_most=0, unit="requests")
        self._draw(lab)

    def _judge_equal(self, lab: Lab, name: str, equal: Measured) -> None:
        counts, strategy = equal.by_instance(), name.split()[1]
        promised = promised_shares(strategy, sorted(counts))
        if promised is None or len(counts) < REPLICAS:
            lab.require(f"replicas that were used, {name}", len(counts), at_least=REPLICAS)
            return
        # What looks at the load follows it, and evens out only in the long run.
        found = check_spread(counts, promised, tolerance=0.05 if strategy in BLIND else 0.25)
        lab.extra[id(equal)]["spread"] = {"counts": found.counts, "p_value": found.p_value, "why": found.why}
        lab.require(
            f"even spread, {name}: off at most", found.off, at_most=None if found.passed else 0.0, why=found.why
        )

    def _draw(self, lab: Lab) -> None:
        of_slow = {name: lab.of(f"{name}, one slow")[0].steady for name in self.chosen}
        groups = {name: (found.latency_ms[found.ok], found.response_ms[found.ok]) for name, found in of_slow.items()}
        lab.plot(latency_distribution(groups, lab.folder.path, "latency", "Latency with one slow replica"))
        used = {name: self._thirds(lab, name) for name in self.chosen}
        title, caption = "Requests by replica with one slow", "The share that each strategy sends to the slow replica"
        lab.plot(cpu_bars(used, lab.folder.path, "shares", title, unit="requests", caption=caption))

    def _thirds(self, lab: Lab, name: str) -> dict[str, float]:
        counts = _summed(lab.of(f"{name}, one slow"))
        return {"slow": counts.pop(self.slow, 0), "the two others": sum(counts.values())}


def _summed(arms: list[Measured]) -> dict[str, int]:
    total: dict[str, int] = {}
    for found in arms:
        for instance, count in found.by_instance().items():
            total[instance] = total.get(instance, 0) + count
    return total
