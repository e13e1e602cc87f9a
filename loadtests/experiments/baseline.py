"""What does each step of a visit cost when nobody is in the way, and can that tell what many of them together cost?

A simulation of the whole shop learns from the same arms, and says how many requests users without a pause get out of
the whole machine.
"""

import os

from loadtests.lab.experiment import Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Closed, Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import cpu_bars, latency_distribution
from loadtests.lab.verdict import Prediction
from loadtests.model.calibration import Calibration
from loadtests.model.layout import on_one_host
from loadtests.model.simulation import Users, simulate

STEPS = ("page", "fresh_product", "stock", "look", "order")
READS = STEPS[:-1]
WEIGHTS = {"page": 6, "fresh_product": 6, "stock": 6, "look": 4, "order": 1}
RATE = 60.0
ALONE = {"order": 10.0}  # a second; all others:
ALONE_RATE = 40.0
BUSY_SHARE = 0.8  # of the machine, if each request cost as much as alone; it costs less then
USERS, SIMULATED_S = 16, 20
JUDGED, SHOWN = ("service:catalog", "service:inventory", "service:orders"), "nginx"
LAW = "utilisation law, Denning and Buzen, The Operational Analysis of Queueing Network Models, 1978"


class Baseline(Experiment):
    number = 1
    title = "Latency and CPU demand of each step and service"
    question = "What does each step cost alone, and do these costs predict the CPU use and the latency of a mixed load?"
    touches = False
    audited = True

    def predict(self, lab: Lab) -> None:
        """Each step alone, so seldom that hardly anybody waits; what they cost together is the sum."""
        self.idle = lab.watch("idle", lab.seconds(20, 4))
        self.alone = {step: self._alone(lab, step) for step in STEPS}
        total = sum(WEIGHTS.values())
        self.rates = {step: RATE * weight / total for step, weight in WEIGHTS.items()}
        self.cores = {subject: self._predict_cores(lab, subject) for subject in (*JUDGED, SHOWN) if lab.ours}
        self.latency = {step: self._predict_latency(lab, step) for step in READS}
        if lab.ours:
            self.most = self._predict_most(lab)

    def _alone(self, lab: Lab, step: str) -> Measured:
        load = Open(ALONE.get(step, ALONE_RATE), {step: 1}, arrivals="constant")
        return lab.measure(f"{step} alone", load, lab.seconds(20, 4), warm_up_s=1)

    def _predict_cores(self, lab: Lab, subject: str) -> Prediction:
        demands = {step: self.alone[step].demand_ms(subject, self.idle) for step in STEPS}
        cores = self.idle.cores(subject) + sum(self.rates[step] * demands[step] / 1000 for step in STEPS)
        inputs = {f"X_{step}": (self.rates[step], "1/s") for step in STEPS}
        inputs |= {f"D_{step}": (demands[step], "ms") for step in STEPS}
        return lab.predict(
            f"CPU of {subject.removeprefix('service:')} at {RATE:g} requests a second", cores, "cores",
            formula="U = U_idle + sum of X_step * D_step over all steps", tex=r"U = U_0 + \sum_i X_i D_i", source=LAW,
            U_idle=(self.idle.cores(subject), "cores"), **inputs,
        )  # fmt: skip

    def _predict_latency(self, lab: Lab, step: str) -> Prediction:
        alone = self.alone[step].mean_ms(step)
        return lab.predict(
            f"mean latency of {step} at {RATE:g} requests a second", alone, "ms", formula="R = S",
            tex=r"R \approx S", source="at light load hardly anybody waits, so the response time is the service time",

            S=(alone, "ms"),
        )  # fmt: skip

    def _predict_most(self, lab: Lab) -> Prediction:
        """The simulation knows each step alone, and how much cheaper requests are on a busy machine."""
        cores = os.cpu_count() or 1
        alone_ms = sum(weight * self._all_ms(step) for step, weight in WEIGHTS.items()) / sum(WEIGHTS.values())
        busy = lab.measure("busy", Open(BUSY_SHARE * cores * 1000 / alone_ms, WEIGHTS), lab.seconds(20, 6))
        arms = [found.row() for found in (self.idle, *self.alone.values())]
        shop = Calibration.from_arms(arms, busy=busy.row(), cores=cores)
        others = max(0.0, busy.host_share * cores - sum(busy.cpu.values()))
        load = Users(USERS, WEIGHTS, SIMULATED_S)
        found = simulate(shop, on_one_host(shop, cores - others), load, seed=lab.seed, warm_up_s=SIMULATED_S / 10)
        return lab.predict(
            f"answers a second to {USERS} users without a pause", found.throughput(), "1/s",
            formula="discrete-event simulation of threads, Python's lock, shared cores, calls and events",
            source="loadtests/model/simulation.py; Law, Simulation Modeling and Analysis, 5th edition, 2015",
            users=(USERS, ""), cores=(cores - others, "cores"), D_alone=(alone_ms, "ms"),
        )  # fmt: skip

    def _all_ms(self, step: str) -> float:
        """CPU of everybody for one such request, the generator's too."""
        used, idle = sum(self.alone[step].cpu.values()), sum(self.idle.cpu.values())
        return 1000 * (used - idle) / self.alone[step].throughput()

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            lab.measure("all steps mixed", Open(RATE, WEIGHTS), lab.seconds(60, 12))
        if lab.ours:
            lab.measure("no pause", Closed(USERS, WEIGHTS), lab.seconds(30, 6), fills_host=True)

    def judge(self, lab: Lab) -> None:
        (mixed,) = lab.of("all steps mixed")[:1]
        if lab.ours:
            for subject in JUDGED:
                lab.check(self.cores[subject], mixed.cores(subject), within=0.25)
            why = "it uses so little that the ticks of the kernel's clock show"
            lab.show(self.cores[SHOWN], mixed.cores(SHOWN), why)
            lab.check(self.most, lab.of("no pause")[0].throughput(), within=0.15)
        for step, made in self.latency.items():
            lab.check(made, mixed.mean_ms(step), within=0.3)
        lab.require("failed requests", float((~mixed.requests.ok).sum()), at_most=0, unit="requests")
        self._draw(lab, mixed)

    def _draw(self, lab: Lab, mixed: Measured) -> None:
        groups = {
            step: (mixed.steady.of(step=step).latency_ms, mixed.steady.of(step=step).response_ms) for step in STEPS
        }
        lab.plot(latency_distribution(groups, lab.folder.path, "latency", "Latency of each step, mixed load"))
        if lab.ours:
            subjects = [s for s in self.idle.cpu if s.startswith("service:") or s == "nginx"]
            used = {s: {step: self.alone[step].demand_ms(s, self.idle) for step in STEPS} for s in subjects}
            lab.plot(cpu_bars(used, lab.folder.path, "demand", "CPU demand of each step", unit="ms"))
