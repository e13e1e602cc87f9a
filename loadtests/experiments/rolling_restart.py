"""New replicas for old, one after the other, under load: what does an update cost?"""

import time

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import draw, none_fails, outcome, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.watching import Watch

RATE, MIX, REPLICAS = 90.0, {"page": 8, "order": 1}, 3
ARM = "three are replaced"


class RollingRestart(Experiment):
    number = 11
    paced = True
    title = "A rolling restart"
    question = (
        "All three replicas of catalog are replaced, one after the other: who notices, and how long does it take?"
    )
    audited = True

    def predict(self, lab: Lab) -> None:
        replicas(lab, catalog=1)
        lab.say("restarting one replica, to know how long that takes")
        began = time.monotonic()
        lab.system.restart("catalog")
        one_s = time.monotonic() - began
        replicas(lab, catalog=REPLICAS)
        self.took = lab.predict(
            "time until all are replaced", REPLICAS * one_s, "s", formula="n times what one takes",
            tex=r"T = n\,t_1", source="one after the other; t_1 measured before the run", n=(REPLICAS, "replicas"),
            t_1=(one_s, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        # Not by their ids: a new container may get the address of an old one, and so its id.
        old, before = _pids(lab), set(lab.system.healthy("catalog"))
        with lab.arm(ARM, Open(lab.rate(RATE), MIX)) as arm:
            arm.wait(lab.seconds(30, 8))
            with (
                arm.fault("souk restart catalog"),
                Watch(arm, lambda: set(lab.system.healthy("catalog")) != before, "the first new replica is listed"),
            ):
                lab.system.restart("catalog")
            arm.wait(lab.seconds(30, 7))
        self.stayed = old & _pids(lab)
        self.found = outcome(lab, arm, "souk restart catalog")

    def judge(self, lab: Lab) -> None:
        fault = self.found.fault
        none_fails(lab, self.found)
        lab.require("old replicas that are left", float(len(self.stayed)), at_most=0, unit="replicas")
        lab.check(self.took, fault.end_s - fault.begin_s, within=0.3)
        lab.require(
            "p99 during the restart", fault.p99_during_ms or float("nan"), at_most=1000, unit="ms",
            why="docs/reliability.md promises a second",
        )  # fmt: skip
        draw(lab, {ARM: self.found}, "catalog", "All replicas of catalog are replaced")


def _pids(lab: Lab) -> set[int]:
    return {row["pid"] for row in lab.system.instances("catalog")}
