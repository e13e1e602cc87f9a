"""One of three replicas of catalog stands still: the kernel accepts for it, and nobody answers."""

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import arrivals_s, at_most, draw, none_fails, outcome, pick, replicas, standing_still
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.statistics import percentile
from loadtests.lab.watching import Watch, again, all_listed, left_out

RATE, REPLICAS = 120.0, 3
TRY_S, ATTEMPTS = 0.7, 3  # how long the gateway waits for one of several; how many in a row, gateway/README.md
PLACES = 16  # requests at one instance of eight threads, CONNECTIONS_PER_THREAD
LOOK_S, CHECK_S = 0.1, 0.1  # how often the gateway judges; how long nginx checks a configuration
LIVENESS_S, STARTS_WITHIN_S = 2.0, 4.0  # deploy/local/README.md: one that is silent for so long is replaced
RENEWAL_S, LISTED_WITHIN_S = 1.0, 1.5  # services/chassis/README.md: one that goes on says so at its next renewal
ARM = "one of three hangs"


class ReplicaHung(Experiment):
    number = 9
    paced = True
    title = "A replica hangs"
    question = "One of three replicas of catalog hangs: how many requests wait for it, how long, and who ends it?"
    audited = True

    def predict(self, lab: Lab) -> None:
        replicas(lab, catalog=REPLICAS)
        rate = lab.rate(RATE)
        third_s = arrivals_s(ATTEMPTS, REPLICAS, rate)
        values = {"k": (ATTEMPTS, "attempts"), "n": (REPLICAS, "replicas"), "rate": (rate, "1/s"), "try": (TRY_S, "s")}
        self.noticed = lab.predict(
            "the gateway leaves it out within", third_s + TRY_S + LOOK_S + CHECK_S, "s",
            formula="99 % of the Erlang time of the k n-th read, one try, one look, one check of the configuration",
            tex=r"t_{0.99} = F^{-1}_{\mathrm{Erlang}(k n,\,\lambda)}(0.99) + t_{try} + t_\ell + t_c",
            source="Kleinrock, Queueing Systems I, 1975, section 2.4; gateway/outliers.py", **values,
        )  # fmt: skip
        share, after_s = rate / REPLICAS, ATTEMPTS * REPLICAS / rate + LOOK_S / 2 + CHECK_S
        self.slow = lab.predict(
            "requests that wait for a try", min(PLACES, share * TRY_S) + share * after_s, "requests",
            formula="min(places, rate / n * try) + rate / n * (k n / rate + look / 2 + check)",
            tex=r"N = \min\left(m,\ \frac{\lambda}{n} t_{try}\right) + \frac{\lambda}{n}\,\bar t",
            source="what comes by turns until it is left out; no more at once than it has places for",
            m=(PLACES, "places"), t=(after_s, "s after the first try has run out"), **values,
        )  # fmt: skip
        self.p99 = lab.predict(
            "p99 during the fault", 1000 * TRY_S, "ms", formula="one try, since more than 1 % wait for one",
            tex=r"p_{99} \approx t_{try}", source="gateway/README.md", **values,
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        victim = pick(lab.system, "catalog")
        out = left_out(lab.system, victim["id"])
        self.ended = lab.system.place.ends_what_hangs
        three = all_listed(lab.system, "catalog", REPLICAS, without=victim["id"] if self.ended else "")
        with lab.arm(ARM, Open(lab.rate(RATE), {"page": 1})) as arm:
            arm.wait(lab.seconds(30, 7))
            with Watch(arm, again(three), "three replicas are healthy", kind="whole") as self.three:
                with (
                    arm.fault(f"{victim['id']} stands still"),
                    Watch(arm, out, "the gateway leaves it out"),
                    standing_still(lab.system, victim),
                ):
                    arm.wait(lab.seconds(15, 7))
                arm.wait(lab.seconds(30, 6))
        self.found = outcome(lab, arm, f"{victim['id']} stands still")

    def judge(self, lab: Lab) -> None:
        fault, requests = self.found.fault, self.found.measured.requests
        during = requests.between(fault.begin_s - TRY_S, fault.end_s)
        none_fails(lab, self.found)
        at_most(lab, self.noticed, fault.detection_s)
        lab.check(self.slow, float((during.latency_ms >= 1000 * TRY_S).sum()), within=0.5)
        lab.check(self.p99, percentile(requests.between(fault.begin_s, fault.end_s).latency_ms, 0.99), within=0.15)
        if self.ended:
            lab.require(
                "three replicas again within", self.three.after(fault.begin_s), at_most=LIVENESS_S + STARTS_WITHIN_S,
                unit="s", why="the supervisor ends what is silent, and starts another",
            )  # fmt: skip
        else:
            lab.require(
                "three replicas again after it goes on, within", self.three.after(fault.end_s),
                at_most=RENEWAL_S + LISTED_WITHIN_S, unit="s", why="nobody ends it; it says itself that it is well",
            )  # fmt: skip
        draw(lab, {ARM: self.found}, "catalog", "A replica of catalog stands still")
