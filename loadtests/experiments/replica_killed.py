"""One of three replicas of catalog dies at once, under load: who notices, and when is everything as before?"""

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import arrivals_s, at_most, draw, kill_now, none_fails, outcome, pick, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.watching import Watch, back, left_out

RATE, MIX, REPLICAS = 120.0, {"page": 11, "order": 1}, 3
READS = 110.0  # a second, of these
ATTEMPTS, TRY_S = 3, 0.7  # in a row, gateway/README.md; `try_ms` of a route, gateway/fleet.py
LOOK_S, CHECK_S = 0.1, 0.1  # how often the gateway judges; how long nginx checks a configuration
ARM = "one of three is killed"


class ReplicaKilled(Experiment):
    number = 8
    paced = True
    title = "A replica is killed"
    question = (
        "One of three replicas of catalog is killed under load: does a request fail, and when are there three again?"
    )
    audited = True

    def predict(self, lab: Lab) -> None:
        replicas(lab, catalog=REPLICAS - 1)
        start_s = replicas(lab, catalog=REPLICAS)
        # Where a dead one refuses nothing, an attempt that finds it fails by the end of its try.
        reads = lab.rate(READS)
        try_s = 0.0 if lab.system.place.dead_refuse else TRY_S
        self.failed = lab.predict(
            "failed requests", 0, "requests", formula="refused at one replica, answered by another",
            tex=r"F = \lambda\, p^{2} = 0", source="Site Reliability Engineering, 2016, chapter 22; gateway/README.md",
            p=(0, "share of replicas that are down, once one is avoided"),
        )  # fmt: skip
        self.noticed = lab.predict(
            "the gateway leaves it out within",
            arrivals_s(ATTEMPTS, REPLICAS, reads) + try_s + LOOK_S + CHECK_S, "s",
            formula="99 % of the Erlang time of the k n-th read, its try, one look and one check of the configuration",
            tex=r"t_{0.99} = F^{-1}_{\mathrm{Erlang}(k n,\,\lambda)}(0.99) + t_{try} + t_\ell + t_c",
            source="Kleinrock, Queueing Systems I, 1975, section 2.4; gateway/outliers.py",
            k=(ATTEMPTS, "attempts"), n=(REPLICAS, "replicas"), rate=(reads, "1/s"), try_s=(try_s, "s"),
            look=(LOOK_S, "s"), check=(CHECK_S, "s"),
        )  # fmt: skip
        self.whole = lab.predict(
            "three replicas again after", start_s, "s", formula="as long as starting one took before the run",
            tex=r"t_r \approx t_s", source="measured by `souk scale catalog=3`", t_s=(start_s, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        victim = pick(lab.system, "catalog")
        out = left_out(lab.system, victim["id"])
        three = back(lab.system, "catalog", REPLICAS, victim)
        with lab.arm(ARM, Open(lab.rate(RATE), MIX)) as arm:
            arm.wait(lab.seconds(30, 7))
            with (
                arm.fault(f"{victim['id']} is killed"),
                Watch(arm, out, "the gateway leaves it out"),
                Watch(arm, three, "three replicas are healthy", kind="whole") as self.three,
            ):
                kill_now(lab.system, victim)
                arm.wait(lab.seconds(15, 6))
            arm.wait(lab.seconds(30, 6))
        self.found = outcome(lab, arm, f"{victim['id']} is killed")

    def judge(self, lab: Lab) -> None:
        fault = self.found.fault
        none_fails(lab, self.found)
        at_most(lab, self.noticed, fault.detection_s)
        lab.check(self.whole, self.three.after(fault.begin_s), within=0.5)
        draw(lab, {ARM: self.found}, "catalog", "A replica of catalog is killed")
