"""The registry is killed, stays away and comes back empty: who needs it, and when does it know everybody again?"""

import threading

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import at_most, draw, none_fails, outcome, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.watching import Watch, all_listed, answers, logged, until

RATE, MIX, REPLICAS = 90.0, {"page": 7, "look": 1, "order": 1}, 3
RENEWAL_S, RETRY_S = 1.0, 0.5  # services/chassis/README.md; services/chassis/registration.py
TIMEOUT_S = 2.0  # WRITE_TIMEOUT_S, services/chassis/consul.py
NOISE_MS = 50.0
ARM = "no registry"


class RegistryAway(Experiment):
    number = 12
    paced = True
    title = "The registry is away"
    question = (
        "The registry is gone, and comes back knowing nobody: does a request fail, and when are all listed again?"
    )
    audited = True

    def predict(self, lab: Lab) -> None:
        replicas(lab, catalog=REPLICAS)
        # Where a dead one refuses nothing, an attempt that began before it was back ends by its time-out.
        timeout_s = 0.0 if lab.system.place.dead_refuse else TIMEOUT_S
        self.listed = lab.predict(
            "all listed again within", RENEWAL_S + RETRY_S + timeout_s, "s",
            formula="one renewal and one pause after a refusal, or after a time-out where nothing refuses",
            tex=r"t_{max} = t_{renewal} + t_{retry} + t_{out}",
            source="each instance renews by itself, and registers anew when it is not known",
            renewal=(RENEWAL_S, "s"), retry=(RETRY_S, "s"), timeout=(timeout_s, "s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        away_s = lab.seconds(30, 8)
        gone = threading.Thread(target=lab.system.kill, args=("registry", "--signal", "KILL", "--for", f"{away_s:g}"))
        known, unknown = answers(lab.system), lambda: not answers(lab.system)()
        with lab.arm(ARM, Open(lab.rate(RATE), MIX)) as arm:
            arm.wait(lab.seconds(30, 8))
            lost = logged(lab.system, "gateway", "the registry does not answer")
            gone.start()
            until(unknown, 10)
            with arm.fault("the registry is killed"), Watch(arm, lost, "the gateway hears nothing from it"):
                gone.join()
                until(known, 30)
            with Watch(arm, all_listed(lab.system, "catalog", REPLICAS), "all are listed", kind="listed") as self.back:
                arm.wait(lab.seconds(30, 7))
        self.found = outcome(lab, arm, "the registry is killed")

    def judge(self, lab: Lab) -> None:
        fault = self.found.fault
        none_fails(lab, self.found)
        at_most(lab, self.listed, self.back.after(fault.end_s))
        lab.require(
            "p99 while it is away", fault.p99_during_ms or float("nan"),
            at_most=2 * (fault.p99_before_ms or float("nan")) + NOISE_MS, unit="ms", why="as with a registry",
        )  # fmt: skip
        draw(lab, {ARM: self.found}, "catalog", "The registry is away")
