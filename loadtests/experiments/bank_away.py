"""The bank hangs. Each question to it holds a thread for its whole time-out; a breaker asks no more."""

from math import ceil

from loadtests.lab.experiment import INSTANCES, Experiment
from loadtests.lab.failing import Outcome, arrivals_s, at_most, draw, outcome, pick, standing_still
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.watching import Watch, counted

READS, CHARGES = 75.0, 25.0  # a second; so many charges at any pace, for they have to need more threads than there are
THREADS, TIMEOUT_S = 8, 1.0  # of payments: fleet.toml, BANK_TIMEOUT_MS
PLACES, SHED_S = 16, 2.5  # how many reads the gateway sends at once; SHED_AFTER_MS
FAILS, RESET_S = 20, 2.0  # BREAKER_FAILS; how long an open breaker waits, services/chassis/resilience.py
OPEN = 'souk_calls_total{outcome="breaker_open",target="bank"}'
OFF, ON = "no breaker", "breaker"


class BankAway(Experiment):
    number = 13
    paced = True
    title = "The bank is away"
    question = "The bank hangs: what happens to reads of payments, which need no bank, without and with a breaker?"
    needs = frozenset({INSTANCES})
    # Nobody may replace the bank: it is outside our walls.
    settings = {"BREAKER_FAILS": "0", "LIVENESS_S": "0"}
    audited = True

    def predict(self, lab: Lab) -> None:
        values = {"c": (THREADS, "threads"), "timeout": (TIMEOUT_S, "s"), "charges": (CHARGES, "1/s")}
        self.reads = lab.predict(
            f"reads answered a second at most, {OFF}", PLACES / SHED_S, "1/s", formula="places / longest wait",
            tex=r"X \le \frac{N}{W}", N=(PLACES, "places"), W=(SHED_S, "s"),
            source="Little's law: charges need more threads than there are, so whoever is served has waited until W",
        )  # fmt: skip
        opens_s = arrivals_s(THREADS, 1, CHARGES) + ceil(FAILS / THREADS) * TIMEOUT_S
        self.opened = lab.predict(
            "the breaker opens within", opens_s, "s",
            formula="99 % of the Erlang time of the c-th charge + ceil(fails / c) * timeout",
            tex=r"t_{0.99} = F^{-1}_{\mathrm{Erlang}(c,\,\lambda_c)}(0.99) + \lceil f / c \rceil\, t_{out}",
            source="c at a time run into the time-out; services/chassis/resilience.py",
            fails=(FAILS, "failures in a row"), **values,
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        self.found = {OFF: self._arm(lab, OFF)}
        lab.use(BREAKER_FAILS=str(FAILS))
        self.found[ON] = self._arm(lab, ON)

    def _arm(self, lab: Lab, name: str) -> Outcome:
        bank = pick(lab.system, "bank")

        def opened() -> bool:
            return counted(lab.system, "payments", OPEN) > 0

        reads = lab.rate(READS)
        load = Open(reads + CHARGES, {"payment": reads, "charge": CHARGES})
        with lab.arm(name, load) as arm:
            arm.wait(lab.seconds(30, 9))
            with (
                arm.fault("the bank stands still"),
                Watch(arm, opened, "the breaker is open"),
                standing_still(lab.system, bank),
            ):
                arm.wait(lab.seconds(30, 8))
            arm.wait(lab.seconds(30, 8))
        return outcome(lab, arm, "the bank stands still, reads of payments", step="payment")

    def judge(self, lab: Lab) -> None:
        late = {name: self._reads_once_open(found) for name, found in self.found.items()}
        at_most(lab, self.reads, late[OFF])
        at_most(lab, self.opened, self.found[ON].fault.detection_s)
        lab.require(
            f"reads answered a second, {ON}", late[ON], at_least=0.95 * lab.rate(READS), unit="1/s",
            why="once it is open",
        )  # fmt: skip
        for name, found in self.found.items():
            lab.require(
                f"time to recover after the bank is back, {name}", self._back_s(found), at_most=RESET_S + TIMEOUT_S + 2,
                unit="s", why="queues are short: what waits too long is shed",
            )  # fmt: skip
        draw(lab, self.found, "payments", "The bank stands still: reads of payments")

    def _reads_once_open(self, found: Outcome) -> float:
        """Good answers a second, from when a breaker would be open until the bank is back."""
        fault = found.fault
        part = found.measured.requests.of(step="payment").between(fault.begin_s + self.opened.value, fault.end_s)
        return float(part.ok.sum()) / (fault.end_s - fault.begin_s - self.opened.value)

    def _back_s(self, found: Outcome) -> float:
        fault = found.fault
        return float("nan") if fault.recovery_s is None else max(0.0, fault.begin_s + fault.recovery_s - fault.end_s)
