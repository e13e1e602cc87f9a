"""Every process is killed at once under a load of orders; what was answered with 202 ends all the same."""

import random
from collections import Counter

import pytest

from bench.combined import Combined
from bench.load import OpenLoad
from bench.verdicts import nothing_is_lost, orders_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.dimensions("database", "events", "registry"),
]
ROUNDS, WITHIN_S, SEED = 10, 60.0, 5


@pytest.mark.parametrize("round_", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, ROUNDS + 1))])
def test_every_order_that_was_taken_ends_after_a_crash(system: Combined, round_: int) -> None:
    system.has(orders=2, inventory=2, payments=2)
    moment_s = random.Random(SEED * round_).uniform(1, 4)
    with OpenLoad(system, 15, "order=1", seed=round_, warm_up_s=0) as load:
        load.span(moment_s)
        system.crash()
    taken = orders_of(load.samples)
    assert taken, "the crash came before the first order"
    system.up()
    ends = nothing_is_lost(system, load.samples, WITHIN_S)
    print(f"round {round_}: killed after {moment_s:.1f} s, {len(taken)} orders taken, {dict(Counter(ends.values()))}")
    assert set(ends) == taken
