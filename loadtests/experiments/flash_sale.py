"""Many want the same few pieces at once, from three replicas of inventory: exactly as many are sold as there are."""

from loadtests.lab.experiment import Experiment
from loadtests.lab.failing import draw, outcome, replicas
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.target import ask
from loadtests.lab.watching import Watch, until
from loadtests.shapes import spike

SKU, STOCK, USUAL = "SOUK-000001", 80, 10_000
BASE, PEAK, PEAK_S = 50.0, 100.0, 8.0
MIX, ORDERS = {"page": 4, "order": 1}, 0.2  # the share of orders, all for the one product
TOKEN_S = 1.0  # how long the operator takes to get a token
POLL_S = 0.1
ARM = "flash sale"


class FlashSale(Experiment):
    number = 17
    paced = True
    title = "A flash sale"
    question = (
        "Twice as many orders come as there are pieces: is one sold twice, and is one left although somebody wanted it?"
    )
    audited = True

    def predict(self, lab: Lab) -> None:
        self.stock, orders = round(lab.rate(STOCK)), ORDERS * lab.rate(PEAK)
        values = {"stock": (self.stock, "pieces"), "orders": (orders, "1/s")}
        self.sold = lab.predict(
            "pieces sold", min(self.stock, orders * PEAK_S), "pieces", formula="min(stock, wanted)",
            tex=r"\min(K,\ \lambda_o T)", source="each order reserves by one conditional update; docs/reliability.md",
            T=(PEAK_S, "s"), **values,
        )  # fmt: skip
        self.out = lab.predict(
            "sold out after", self.stock / orders, "s", formula="stock / orders", tex=r"t = \frac{K}{\lambda_o}",
            source="orders are taken as fast as they come", **values,
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        replicas(lab, inventory=3)
        begin_s = lab.seconds(30, 13)
        try:
            with lab.arm(ARM, Open(spike(lab.rate(BASE), lab.rate(PEAK), begin_s, PEAK_S), MIX, skus=1)) as arm:
                arm.wait_until(begin_s - TOKEN_S)
                self._restock(lab, self.stock)
                with (
                    Watch(arm, lambda: self._stock(lab)["available"] == 0, "sold out", period_s=POLL_S) as self.empty,
                    arm.fault(f"{self.stock} pieces, and {ORDERS * lab.rate(PEAK):g} orders a second"),
                ):
                    arm.wait_until(begin_s + PEAK_S)
                arm.wait(lab.seconds(30, 12))
            lab.say("waiting for the last orders")
            self.left = self._settled(lab)
            self.found = outcome(lab, arm, "everybody wants the same product")
        finally:
            self._restock(lab, USUAL)

    def _stock(self, lab: Lab) -> dict[str, int]:
        found: dict[str, int] = ask("GET", f"{lab.system.url}/api/inventory/stock/{SKU}").json()
        return found

    def _restock(self, lab: Lab, pieces: int) -> None:
        lab.system.operator("PUT", f"/api/inventory/stock/{SKU}", json={"on_hand": pieces})

    def _settled(self, lab: Lab) -> dict[str, int]:
        """The stock once nothing is reserved any more."""
        until(lambda: self._stock(lab)["reserved"] == 0, 60)
        return self._stock(lab)

    def judge(self, lab: Lab) -> None:
        lab.check(self.sold, float(self.stock - self.left["on_hand"]), within=0.0)
        lab.check(self.out, self.empty.after(self.found.fault.begin_s), within=0.5)
        lab.require("failed requests", float(self.found.fault.failed), at_most=0, unit="requests")
        draw(lab, {ARM: self.found}, "orders", f"{self.stock} pieces for everybody")
