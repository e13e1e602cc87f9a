import math
from dataclasses import replace

import pytest

from loadtests.model.layout import replicas_for, spread_out
from loadtests.model.predictions import VISIT, capacity, scale_out, shoppers
from loadtests.model.simulation import Load, ZoneLoss, simulate
from loadtests.model.zones import lose_a_zone
from loadtests.tests.model.shops import MIX, SHOP


@pytest.mark.thorough
def test_a_cell_says_the_same_as_the_whole_of_which_it_is_a_part():
    layout = spread_out(SHOP, 120, MIX, cell=30)
    assert layout.cells == 4
    load = Load(capacity(SHOP, layout, MIX, 0.7), MIX, 1.6)
    cell = simulate(SHOP, layout, replace(load, seconds=4 * load.seconds), warm_up_s=0.5)
    whole = simulate(SHOP, layout.whole(), load, warm_up_s=0.5)
    assert cell.throughput() == pytest.approx(whole.throughput(), rel=0.03)
    assert cell.mean_s() == pytest.approx(whole.mean_s(), rel=0.05)
    assert cell.percentile_s(0.99) == pytest.approx(whole.percentile_s(0.99), rel=0.1)
    assert cell.settle_s() == pytest.approx(whole.settle_s(), rel=0.1)


@pytest.mark.thorough  # docs/maths.md shows it, too, and is run
def test_ten_a_hundred_and_a_thousand_replicas_serve_what_they_can_carry():
    ten, hundred, thousand = scale_out(SHOP, MIX, busy=0.6)
    assert [found.total for found in (ten, hundred)] == [10, 100]
    assert 1000 <= thousand.total <= 1020
    for found in (ten, hundred, thousand):
        assert found.throughput == pytest.approx(found.rate, rel=0.03)
    # Nothing is shared but the load, so throughput grows with the replicas, but for what whole numbers cost ten.
    assert thousand.throughput / hundred.throughput == pytest.approx(10, rel=0.1)
    assert hundred.throughput / ten.throughput > 9
    assert thousand.mean_s < 1.2 * ten.mean_s


@pytest.mark.thorough
def test_a_database_that_takes_one_write_at_a_time_ends_the_growth():
    locked = replace(SHOP, locks_s={"orders": 0.002})
    hundred = scale_out(locked, {"order": 1}, (100,), busy=0.6)[0]
    # Three writes an order and 2 ms each: 167 orders a second settle in each cell, whatever else there is.
    assert hundred.rate > 167 * hundred.cells
    assert hundred.throughput < 0.9 * hundred.rate


@pytest.mark.thorough  # docs/maths.md shows it, too, and is run
def test_a_million_shoppers_need_what_the_utilisation_law_says():
    found = shoppers(SHOP, 1_000_000, every_s=600, busy=0.6)
    rate = 1_000_000 / 600 * sum(VISIT.values())
    assert found.rate == pytest.approx(rate)
    assert found.throughput == pytest.approx(rate, rel=0.03)
    needed = SHOP.cores(rate, VISIT)
    for service, count in found.replicas.items():
        assert needed[service] / count < 0.75, service
    assert found.p99_s < 0.1


def test_replicas_for_a_load_use_as_much_as_was_asked_for():
    found = replicas_for(SHOP, 1000, MIX, busy=0.5)
    for service, cores in SHOP.cores(1000, MIX).items():
        if service in found:
            assert found[service] == max(1, math.ceil(cores / 0.5))
    assert "nginx" not in found


def test_a_zone_that_others_can_stand_in_for_costs_the_time_until_it_is_noticed():
    found = lose_a_zone(SHOP, 18, MIX, busy=0.5, loss=ZoneLoss(at_s=5, for_s=8, detect_s=2), seconds=18, cell=18)
    assert found.busy_after == pytest.approx(0.75)
    assert found.outcome.left_over == 0
    assert found.failed < 0.01 * found.requests
    assert 1 <= found.recovered_s <= 4
    assert found.outcome.retries > 0
    calm = [one for one in found.seconds if one.second < 5 or one.second >= 9]
    assert all(one.p95_s < 0.1 and one.failed == 0 for one in calm)


@pytest.mark.thorough  # docs/maths.md shows it, too, and is run
def test_a_zone_that_was_needed_is_missed_until_it_is_back():
    loss = ZoneLoss(at_s=5, for_s=8, detect_s=2)
    found = lose_a_zone(SHOP, 18, MIX, busy=0.85, loss=loss, seconds=25, cell=18)
    assert found.busy_after > 1
    assert found.slow > 0.1 * found.requests * 8 / 20
    assert found.recovered_s is None or found.recovered_s >= 8
    assert found.outcome.left_over == 0  # events wait as long as they must, and then arrive


def test_orders_of_a_lost_zone_still_end():
    found = lose_a_zone(SHOP, 18, {"order": 1}, busy=0.5, loss=ZoneLoss(at_s=4, for_s=5), seconds=12, cell=18)
    assert len(found.outcome.settled) == sum(e.result in ("ok", "late") for e in found.outcome.ended)
    slowest = max(took for came, took in found.outcome.settled)
    assert slowest > 2  # the claim of a lost relay had to end first


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: spread_out(SHOP, 5, MIX), "too few for 6 services"),
        (lambda: spread_out(SHOP, 17, MIX, zones=3), "with 3 each"),
        (lambda: scale_out(SHOP, MIX, (10,), busy=1), "busy"),
        (lambda: shoppers(SHOP, 0), "number"),
        (lambda: lose_a_zone(SHOP, 18, MIX, loss=ZoneLoss(1, 5), cell=18), "time_before_the_loss"),
        (lambda: ZoneLoss(-1, 5), "at_s"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
