"""The bank is away, slow, unreliable, unwilling or late: browsing is untouched, and nobody loses money."""

from collections import Counter

import pytest

from bench.customer import ANSWERED_LATE
from bench.load import OpenLoad
from bench.system import System
from bench.verdicts import describe, fails, nothing_is_lost

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(400)]
MIX = "page=7,stock=3,order=1"
BROWSING = ("page", "stock")
BEFORE_S, FAULT_S = 45.0, 60.0
SLOWER = 1.5

# What is said to `souk bank`, what mends it, and with which card the orders are paid.
TROUBLE = {
    "away": ("away=true", "away=false"),
    "slow": ("latency_ms=3000", "latency_ms=0"),
    "failing half the time": ("failure_rate=0.5", "failure_rate=0"),
    "declining": ("decline_rate=1", "decline_rate=0"),
    "answering after our time-out": ("answer_after_ms=6000", "answer_after_ms=0"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.slow
def test_browsing_is_untouched_and_each_order_ends_with_one_charge_or_none(
    system: System, judge_latency: bool, trouble: str
) -> None:
    during_fault, mended = TROUBLE[trouble]
    with OpenLoad(system, 30, MIX) as load:
        before = load.span(BEFORE_S)
        system.souk("bank", during_fault)
        during = load.span(FAULT_S)
        system.souk("bank", mended)
    browsing = load.samples.of(*BROWSING)
    print(describe(f"bank {trouble}, browsing", browsing, ("before", before), ("during", during)))
    assert not fails(load.samples)
    ends = nothing_is_lost(system, load.samples)
    print(f"orders ended {dict(Counter(ends.values()))}")
    if judge_latency:
        usual, found = (browsing.between(*span).percentile_s(0.99) for span in (before, during))
        assert found <= SLOWER * usual


def test_a_bank_in_any_trouble_costs_nobody_money(system: System) -> None:
    """The short form: all troubles one after the other, in one load."""
    with OpenLoad(system, 5, "order=1", card=ANSWERED_LATE) as load:
        for during_fault, mended in TROUBLE.values():
            system.souk("bank", during_fault)
            load.span(2)
            system.souk("bank", mended)
    assert not fails(load.samples)
    nothing_is_lost(system, load.samples)
