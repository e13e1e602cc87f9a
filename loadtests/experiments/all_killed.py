"""Every process is killed at once, as by a power cut, under a load of orders; then the system is started again."""

import time

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import draw, outcome
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open

RATE, MIX = 90.0, {"page": 8, "order": 1}
ARM = "power cut"


class AllKilled(Experiment):
    number = 16
    paced = True
    title = "Everything is killed at once"
    question = "All processes die in the middle of orders: when does the shop serve again, and is any order lost?"
    audited = True

    def predict(self, lab: Lab) -> None:
        lab.say("starting the system once more, to know how long that takes")
        lab.system.down()
        began = time.monotonic()
        lab.system.up(dict(self.settings))
        start_s = time.monotonic() - began
        self.back = lab.predict(
            "time until it serves again", start_s, "s", formula="as long as a start takes", tex=r"t_r = t_s",
            source="nothing is repaired: what is half done is found in the databases and goes on",
            t_s=(start_s, "s"),
        )  # fmt: skip
        self.failed = lab.predict(
            "failed requests", lab.rate(RATE) * start_s, "requests", formula="rate * t_s", tex=r"F = \lambda\,t_s",
            source="nobody answers meanwhile", rate=(lab.rate(RATE), "1/s"), t_s=(start_s, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        system = lab.system
        with lab.arm(ARM, Open(lab.rate(RATE), MIX)) as arm:
            arm.wait(lab.seconds(30, 8))
            rows = system.instances()
            with arm.fault("every process is killed, and the system started again"):
                system.power_cut(rows)
                lab.say("starting it again")
                system.up(dict(self.settings))
            arm.wait(lab.seconds(30, 8))
        requests, begin_s = lab.measured[-1].requests, arm.first("fault_begin") or 0.0
        lost = requests.scheduled_s[~requests.ok & (requests.ended_s >= begin_s)]
        if lost.size:
            arm.event("detected", "the first request fails", max(begin_s, float(lost.min())))
        self.found = outcome(lab, arm, "every process is killed")

    def judge(self, lab: Lab) -> None:
        fault, requests = self.found.fault, self.found.measured.requests
        lab.check(self.back, fault.end_s - fault.begin_s, within=0.5)
        lab.check(self.failed, float(fault.failed), within=0.5)
        after = requests.between(fault.end_s + 2, self.found.measured.end_s)
        lab.require("failed requests from 2 s after the start on", float((~after.ok).sum()), at_most=0, unit="requests")
        draw(lab, {ARM: self.found}, "catalog", "Every process is killed at once")
