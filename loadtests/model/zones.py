"""The loss of a zone, simulated: what is left of the capacity, who suffers, and when it is over."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from loadtests.model.calibration import Calibration
from loadtests.model.checks import inside, positive
from loadtests.model.layout import spread_out
from loadtests.model.outcome import Ended, Outcome
from loadtests.model.predictions import capacity
from loadtests.model.simulation import Load, ZoneLoss, simulate

WARM_UP_S = 2.0
CALM_SECONDS = 3  # without which it is not over
# A second is bad in which more fail, or p95 is above so many times its value before and so much more (s).
FAILED_SHARE, FACTOR, MORE_S = 0.01, 2.0, 0.05


@dataclass(frozen=True)
class Second:
    """What came in one second of the load: requests, those without a good answer, p95 of the others (s)."""

    second: int
    requests: int
    failed: int
    p95_s: float


@dataclass(frozen=True)
class LostZone:
    """What the loss of a zone did, for the whole shop.

    rate: requests a second. busy_before, busy_after: the share of the CPU that the load needs, with the zone and
    without; above 1 it cannot be carried. requests: those that came from the loss on; failed: without a good answer;
    slow: with one later than slow_s. recovered_s: from the loss to the end of the last bad second (s), None if it
    was not over.
    """

    rate: float
    busy_before: float
    busy_after: float
    requests: int
    failed: int
    slow: int
    slow_s: float
    recovered_s: float | None
    seconds: tuple[Second, ...]
    outcome: Outcome


def lose_a_zone(
    calibration: Calibration, total: int, mix: Mapping[str, float], *, busy: float = 0.6, zones: int = 3,
    slow_s: float = 1.0, loss: ZoneLoss | None = None, seconds: float = 40, cell: int = 30, seed: int = 1,
) -> LostZone:  # fmt: skip
    """About `total` replicas over zones, so busy, of which one zone goes, by default after 10 s for 20 s.

    Raises ValueError for what cannot be.
    """
    loss = loss or ZoneLoss(at_s=10, for_s=20)
    inside(busy=busy)
    positive(slow_s=slow_s, time_before_the_loss=loss.at_s - WARM_UP_S, time_after_it=seconds - loss.at_s)
    layout = spread_out(calibration, total, mix, zones=zones, cell=cell)
    rate = capacity(calibration, layout, mix, busy)
    outcome = simulate(calibration, layout, Load(rate, mix, seconds), seed=seed, warm_up_s=WARM_UP_S, loss=loss)
    came = [ended for ended in outcome.ended if ended.came_s >= loss.at_s]
    slow = sum(ended.result == "ok" and ended.left_s - ended.came_s > slow_s for ended in came)
    failed = sum(ended.result != "ok" for ended in came)
    each = _seconds(outcome)
    requests, failed, slow = (layout.cells * number for number in (len(came), failed, slow))
    busy_after = busy * zones / (zones - 1) if zones > 1 else math.inf
    recovered_s = _recovered_s(each, loss)
    return LostZone(rate, busy, busy_after, requests, failed, slow, slow_s, recovered_s, each, outcome)


def _seconds(outcome: Outcome) -> tuple[Second, ...]:
    by_second: dict[int, list[Ended]] = {}
    for ended in outcome.ended:
        by_second.setdefault(int(ended.came_s), []).append(ended)
    return tuple(_second(number, by_second[number], outcome.cells) for number in sorted(by_second))


def _second(number: int, came: list[Ended], cells: int) -> Second:
    took = [ended.left_s - ended.came_s for ended in came if ended.result == "ok"]
    p95_s = float(np.quantile(took, 0.95, method="inverted_cdf")) if took else math.nan
    return Second(number, cells * len(came), cells * (len(came) - len(took)), p95_s)


def _recovered_s(seconds: tuple[Second, ...], loss: ZoneLoss) -> float | None:
    before = [one.p95_s for one in seconds if WARM_UP_S <= one.second < math.floor(loss.at_s)]
    limit_s = FACTOR * sum(before) / len(before) + MORE_S
    bad = [
        one.second for one in seconds
        if one.second >= math.floor(loss.at_s)
        and (one.failed > FAILED_SHARE * one.requests or not one.p95_s <= limit_s)
    ]  # fmt: skip
    if not bad:
        return 0.0
    over = bad[-1] + 1
    return over - loss.at_s if seconds[-1].second + 1 - over >= CALM_SECONDS else None
