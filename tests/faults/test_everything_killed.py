"""Every process is killed at once under a load of orders; what was answered with 202 ends all the same."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from bench.load import OpenLoad
from bench.system import System
from bench.verdicts import nothing_is_lost, orders_of

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.xdist_group("faults")]
ROUNDS, WITHIN_S, SEED = 10, 60.0, 5


@pytest.fixture(scope="module")
def doomed() -> Iterator[System]:
    """A system of its own, with two replicas of those that share an order's life."""
    with System() as system:
        system.up()
        system.scale(orders=2, inventory=2, payments=2)
        yield system


@pytest.mark.parametrize("round_", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, ROUNDS + 1))])
def test_every_order_that_was_taken_ends_after_a_crash(doomed: System, round_: int) -> None:
    moment_s = random.Random(SEED * round_).uniform(1, 4)
    with OpenLoad(doomed, 15, "order=1", seed=round_, warm_up_s=0) as load:
        load.span(moment_s)
        doomed.crash()
    taken = orders_of(load.samples)
    assert taken, "the crash came before the first order"
    doomed.up()
    ends = nothing_is_lost(doomed, load.samples, WITHIN_S)
    print(f"round {round_}: killed after {moment_s:.1f} s, {len(taken)} orders taken, {dict(Counter(ends.values()))}")
    assert set(ends) == taken
