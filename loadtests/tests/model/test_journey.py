"""What becomes of single requests and events when machines are lost, time is over, or too much is open."""

from dataclasses import replace

import pytest

from loadtests.model.calibration import Calibration
from loadtests.model.layout import Layout
from loadtests.model.simulation import Load, ZoneLoss, simulate
from loadtests.tests.model.shops import SHOP, station

FOR_EVER = 10**6


def two_zones(**replicas):
    return Layout(replicas, 100.0, hosts=2, zones=2, outside=frozenset({"bank", "nginx"}), strategy="round_robin")


def test_who_waits_for_the_bank_on_a_machine_that_is_lost_has_to_ask_another_one():
    bank = Calibration({"charge": {"payments": 0.0, "bank": 0.0}}, bank_s=0.5)
    loss = ZoneLoss(at_s=5.0, for_s=20, detect_s=0.001)
    found = simulate(bank, two_zones(payments=2), Load(10, {"charge": 1}, 10, "constant"), loss=loss)
    under_way = [ended for ended in found.ended if 4.55 < ended.came_s < 4.95]
    took = sorted(round(ended.left_s - ended.came_s, 2) for ended in under_way)
    # Half of them were in the lost zone: silence for 0.7 s, and the bank once more.
    assert took == [0.5, 0.5, 1.2, 1.2]
    assert {ended.result for ended in found.ended} == {"ok"}


def test_a_second_try_goes_elsewhere():
    page = station(0.001, cv=0)
    layout = replace(two_zones(catalog=2), strategy="random")
    unnoticed = ZoneLoss(at_s=0.0, for_s=FOR_EVER, detect_s=FOR_EVER)
    found = simulate(page, layout, Load(50, {"page": 1}, 20), loss=unnoticed)
    assert {ended.result for ended in found.ended} == {"ok"}
    slowest = max(ended.left_s - ended.came_s for ended in found.ended)
    assert 0.7 < slowest < 1.0
    assert found.retries == pytest.approx(len(found.ended) / 2, rel=0.1)


def test_with_all_zones_gone_three_tries_are_in_vain():
    layout = Layout({"catalog": 2}, 100.0, hosts=1, zones=1, outside=frozenset({"nginx"}))
    gone = ZoneLoss(at_s=0.0, for_s=60, detect_s=60)
    found = simulate(station(0.001, cv=0), layout, Load(5, {"page": 1}, 10), loss=gone)
    assert {ended.result for ended in found.ended} == {"lost"}
    noticed = simulate(station(0.001, cv=0), layout, Load(5, {"page": 1}, 10), loss=replace(gone, detect_s=0))
    assert {ended.result for ended in noticed.ended} == {"refused"}


def test_what_has_not_begun_after_ten_seconds_never_does():
    layout = Layout({"nginx": 1, "catalog": 1}, 2.0, threads={"catalog": 1})
    found = simulate(station(0.1, cv=0), layout, Load(20, {"page": 1}, 40, "constant"))
    assert found.count("late") > 0.2 * len(found.ended)
    # The line is never longer than ten seconds, though twice as much comes as can be done.
    assert max(ended.left_s - ended.came_s for ended in found.ended) < 10.2
    assert found.cpu_s["catalog"] == pytest.approx(40, rel=0.05)


def test_no_more_orders_are_open_than_may_be():
    slow = replace(SHOP, bank_s=1.0)
    layout = Layout(dict.fromkeys(SHOP.demands_s["order"], 1), 64.0, most_open_orders=5)
    found = simulate(slow, layout, Load(50, {"order": 1}, 20))
    # Five at a time, a bit more than a second each; some pass while others are still being placed.
    assert found.count("ok") / 20 == pytest.approx(5, rel=0.4)
    assert found.count("refused") > 0.8 * len(found.ended)
    assert len(found.settled) == found.count("ok")


def test_an_event_whose_sender_was_lost_is_sent_by_another_after_its_claim():
    # Units of 0.1 s at orders: the order is placed after 0.2 s, and its events are being sent until 0.4 s.
    demands = dict.fromkeys(SHOP.demands_s["order"], 0.0) | {"orders": 0.9}
    shop = Calibration({"order": demands}, cpu_cv=0)
    layout = two_zones(orders=2, catalog=2, inventory=2, payments=2, carts=2, notifications=2)
    one = Load(1, {"order": 1}, 1.5, "constant")  # a single order, at second 1
    calm = simulate(shop, layout, one)
    assert [round(took, 2) for _, took in calm.settled] == [pytest.approx(0.6, abs=0.11)]
    takes = [
        simulate(shop, layout, one, loss=ZoneLoss(at_s=1.25, for_s=30, zone=zone, detect_s=0.01)).settled[0][1]
        for zone in (0, 1)
    ]
    # Untouched in the one zone; in the other the claim of 2 s had to end first.
    assert min(takes) < 1
    assert max(takes) > 2.25


def test_an_idle_machine_needs_more_cores_for_the_same_load():
    cold = replace(SHOP, cold={"catalog": 1.5})
    full, half = cold.cores(100, {"page": 1}), cold.cores(100, {"page": 1}, idle=0.5)
    assert half["catalog"] == pytest.approx(1.75 * full["catalog"])
    assert half["nginx"] == pytest.approx(full["nginx"])
