"""Twice and five times what the system can serve: it goes on serving, and says to the others when to come again.

The system has one core for itself and the generator has another, for the peak's measurement too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.load import OpenLoad, Span
from bench.system import System
from bench.verdicts import describe, nothing_is_lost
from loadtests.samples import Samples

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.xdist_group("overload")]
MIX = "page=6,look=2,order=1"
STAIRS, STAIR_S = (100, 200, 300, 400, 500, 600), 8.0
PROBE_RATE = 8
BEFORE_S, OVERLOAD_S, BACK_WITHIN_S, AFTER_S = 20.0, 60.0, 10.0, 20.0
SERVED_SHARE, SERVED_P99_S, REFUSED_P99_S = 0.8, 2.0, 0.5
SLOWER = 2.0  # what counts as normal again: not noise, and far from a queue
SYSTEM_CORE, LOAD_CORE = 0, 1


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started meanwhile inherits the core."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


@pytest.fixture(scope="module")
def pinned() -> Iterator[System]:
    """A system on one core."""
    if not hasattr(os, "sched_setaffinity") or not {SYSTEM_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        pytest.skip("the system and the generator need a core each, and Linux to be held there")
    with on_core(SYSTEM_CORE), System() as system:
        system.up()
        system.souk("set", "gateway/cache", "off")
        yield system


def served_per_s(samples: Samples, span: Span) -> float:
    """Good answers that came in this span, whenever they were asked for."""
    begin, end = span
    return sum(begin <= sample.ended < end for sample in samples.ok.all) / (end - begin)


@pytest.fixture(scope="module")
def peak(pinned: System) -> float:
    """The most that the system serves in a second, found on a stair of rising rates.

    All of the stair counts: where orders are turned away, there is room for more of the reads, which cost less.
    """
    found = []
    for rate in STAIRS:
        with OpenLoad(pinned, rate, MIX, core=LOAD_CORE, warm_up_s=2) as load:
            span = load.span(STAIR_S)
        found.append(served_per_s(load.samples, span))
        print(describe(f"offered {rate}/s, served {found[-1]:.0f}/s", load.samples.ok, ("served", span)))
        print(dict(load.samples.reasons().most_common(4)), load.about)
    return max(found)


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 5])
def test_too_much_load_is_turned_away_and_the_rest_served(pinned: System, peak: float, times: int) -> None:
    with OpenLoad(pinned, PROBE_RATE, MIX, core=LOAD_CORE, seed=11) as probe:
        before = probe.span(BEFORE_S)
        with OpenLoad(pinned, times * peak - PROBE_RATE, MIX, core=LOAD_CORE, seed=12, warm_up_s=2) as load:
            during = load.span(OVERLOAD_S)
        back = probe.during(lambda: None, BACK_WITHIN_S)
        after = probe.span(AFTER_S)
    all_ = Samples([*probe.samples.all, *load.samples.all])
    served = served_per_s(all_, during)
    good, refused = all_.between(*during).ok, Samples(s for s in all_.between(*during).all if s.refused)
    other = Samples(s for s in all_.all if not s.ok and not s.refused)
    print(f"peak {peak:.0f}/s; {times} times as much: served {served:.0f}/s, {100 * served / peak:.0f} %")
    print(describe("served", good, ("during", during)))
    print(describe("refused", refused, ("during", during)), f"retries {sum(s.repeats for s in all_.all)}")
    print(describe("probe", probe.samples.ok, ("before", before), ("back", back), ("after", after)))
    print(f"other failures: {dict(other.reasons().most_common(5))}; generator {load.about}")
    nothing_is_lost(pinned, all_)
    assert not other.all
    assert served >= SERVED_SHARE * peak
    assert good.percentile_s(0.99) <= SERVED_P99_S
    assert refused.percentile_s(0.99) <= REFUSED_P99_S
    assert not probe.samples.between(*after).failed.all
    for share in (0.5, 0.95):
        usual, found = (probe.samples.between(*span).ok.percentile_s(share) for span in (before, after))
        assert found <= SLOWER * usual
