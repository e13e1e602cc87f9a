"""Orders cannot reach the broker for a while: orders are taken, and wait; then the backlog has to be worked off."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtests.lab.arm import Arm
from loadtests.lab.experiment import CUT, Experiment
from loadtests.lab.failing import Outcome, draw, outcome
from loadtests.lab.laboratory import Lab
from loadtests.lab.load import Open
from loadtests.lab.watching import Watch, logged

RATE, MIX = 12.0, {"order": 1}
USUAL_S = 2.0  # an order takes a tenth of this, if it does not wait for others
ENDS_WITHIN_S, LOOK_EVERY_S = 60.0, 2.0  # what has not ended then counts as what does not end
PAGE = 1000
SHORT, ARM = "a short one, to calibrate", "orders cannot reach the broker"
ENDS = ("CONFIRMED", "CANCELLED")
Order = Mapping[str, Any]


@dataclass(frozen=True)
class Backlog:
    """orders: that had not ended when the partition did. Seconds count from then.

    first_s: when the first of them ended. last_s: when the last ended that took longer than usual, whenever it came:
    from then on nobody waits for others. rate: how many ended a second between the two. Of all orders: cancelled,
    unended.
    """

    orders: int
    first_s: float
    last_s: float
    rate: float
    cancelled: int
    unended: int


class Partition(Experiment):
    number = 18
    paced = True
    title = "A partition"
    question = (
        "Orders cannot reach the broker: is every order taken, does each end, and when is the backlog worked off?"
    )
    # No deadline and no bound may end what waits, so that it is the backlog that is judged.
    settings = {"ORDERS__ORDER_DEADLINE_S": "300", "ORDERS__MOST_OPEN_ORDERS": "5000"}
    needs = frozenset({CUT})
    audited = True

    def predict(self, lab: Lab) -> None:
        away_s, rate = lab.seconds(30, 12), lab.rate(RATE)
        short_s = lab.seconds(10, 6)
        _, found = self._arm(lab, SHORT, before_s=lab.seconds(10, 4), away_s=short_s, after_s=lab.seconds(20, 6))
        self.waiting = lab.predict(
            "orders that wait at its end", rate * away_s, "orders", formula="rate * time", tex=r"B = \lambda T",
            source="what comes and cannot go on is kept in the outbox", rate=(rate, "1/s"), T=(away_s, "s"),
        )  # fmt: skip
        self.caught_up = lab.predict(
            "time until the backlog is worked off", found.first_s + rate * away_s / (found.rate - rate), "s",
            formula="r + rate * time / (capacity - rate)", tex=r"t = r + \frac{\lambda T}{\mu - \lambda}",
            source="a queue that is fed at one rate and emptied at another; r and capacity from the short partition",
            r=(found.first_s, "s"), rate=(rate, "1/s"), T=(away_s, "s"), capacity=(found.rate, "1/s"),
        )  # fmt: skip

    def run(self, lab: Lab) -> None:
        self.found, self.backlog = self._arm(
            lab, ARM, before_s=lab.seconds(20, 5), away_s=lab.seconds(30, 12), after_s=lab.seconds(40, 10)
        )

    def _arm(self, lab: Lab, name: str, before_s: float, away_s: float, after_s: float) -> tuple[Outcome, Backlog]:
        with lab.arm(name, Open(lab.rate(RATE), MIX, "constant")) as arm:
            arm.wait(before_s)
            lost = logged(lab.system, "orders", "the broker is away")
            with (
                arm.fault("no replica of orders reaches the broker"),
                Watch(arm, lost, "orders hears nothing from the broker", period_s=0.1),
                lab.system.place.cut("orders", "rabbitmq"),
            ):
                arm.wait(away_s)
            arm.wait(after_s)
        backlog = self._backlog(lab, arm)
        arm.event("caught_up", "nobody waits for others", (arm.first("fault_end") or 0.0) + backlog.last_s)
        return outcome(lab, arm, "no replica of orders reaches the broker"), backlog

    def judge(self, lab: Lab) -> None:
        lab.require(
            "orders that were not taken", float(self.found.fault.failed), at_most=0, unit="orders",
            why="an order is taken by one commit in orders' own database",
        )  # fmt: skip
        lab.require("orders that did not end", float(self.backlog.unended), at_most=0, unit="orders")
        lab.require("orders that were cancelled", float(self.backlog.cancelled), at_most=0, unit="orders")
        lab.check(self.waiting, float(self.backlog.orders), within=0.15)
        lab.check(self.caught_up, self.backlog.last_s, within=0.5)
        draw(lab, {ARM: self.found}, "orders", "Orders is cut off from the broker")

    @staticmethod
    def _backlog(lab: Lab, arm: Arm) -> Backlog:
        wall = time.time() - time.monotonic()  # seconds of the epoch at 0 of the arms' clock
        began, mended = wall + arm.began, wall + arm.began + (arm.first("fault_end") or 0.0)
        lab.say("waiting for the last orders")
        gives_up = time.monotonic() + ENDS_WITHIN_S
        while True:
            backlog = backlog_of([one for one in _orders(lab) if _at(one) >= began], mended)
            if not backlog.unended or time.monotonic() > gives_up:
                return backlog
            time.sleep(LOOK_EVERY_S)  # all orders are read each time, and those that are worked off need the CPU


def backlog_of(orders: Sequence[Order], mended: float) -> Backlog:
    """From what orders itself has noted of each of these. mended: when the partition ended, in seconds of the epoch."""
    ended = [(_at(one), _at(one, -1)) for one in orders if one["state"] in ENDS]
    after = sorted((end - mended, end - begin) for begin, end in ended if end >= mended)
    slow = [end for end, took in after if took > USUAL_S]
    first, last = (after[0][0], slow[-1]) if slow else (0.0, 0.0)
    meanwhile = sum(first < end <= last for end, _ in after)
    return Backlog(
        orders=sum(_at(one) < mended for one in orders) - sum(end < mended for _, end in ended),
        first_s=first, last_s=last, rate=meanwhile / (last - first) if last > first else float("nan"),
        cancelled=sum(one["state"] == "CANCELLED" for one in orders), unended=len(orders) - len(ended),
    )  # fmt: skip


def _orders(lab: Lab) -> list[Order]:
    """All orders there are, as the operator sees them."""
    found: list[Order] = []
    cursor = ""
    while True:
        page = lab.system.operator("GET", f"/api/orders?scope=all&limit={PAGE}" + (cursor and f"&cursor={cursor}"))
        found += page["items"]
        if not page["next"]:
            return found
        cursor = page["next"]


def _at(order: Order, state: int = 0) -> float:
    return datetime.fromisoformat(order["history"][state]["at"]).timestamp()
