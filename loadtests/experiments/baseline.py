"""What does each step of a visit cost when nobody is in the way, and can that tell what many of them together cost?"""

from loadtests.lab.experiment import Experiment
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.measured import Measured
from loadtests.lab.plots import cpu_bars, latency_distribution
from loadtests.lab.verdict import Prediction

STEPS = ("page", "fresh_product", "stock", "look", "order")
READS = STEPS[:-1]
WEIGHTS = {"page": 6, "fresh_product": 6, "stock": 6, "look": 4, "order": 1}
RATE = 60.0
ALONE = {"order": 10.0}  # a second; all others:
ALONE_RATE = 40.0
JUDGED = ("service:catalog", "service:inventory", "service:orders", "nginx")
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
        self.cores = {subject: self._predict_cores(lab, subject) for subject in JUDGED if lab.ours}
        self.latency = {step: self._predict_latency(lab, step) for step in READS}

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

    def run(self, lab: Lab) -> None:
        for _ in lab.repeats():
            lab.measure("all steps mixed", Open(RATE, WEIGHTS), lab.seconds(60, 12))

    def judge(self, lab: Lab) -> None:
        (mixed,) = lab.of("all steps mixed")[:1]
        for subject, made in self.cores.items():
            lab.check(made, mixed.cores(subject), within=0.25)
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
