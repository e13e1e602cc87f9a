"""The simulator beside formulas that know the answer. Seeds are fixed, so what passed once goes on passing."""

import math
import statistics
from dataclasses import replace

import pytest
from scipy.stats import t as student

from loadtests.model import percentiles, queues
from loadtests.model.calibration import Calibration
from loadtests.model.layout import Layout, on_one_host
from loadtests.model.simulation import Load, Users, simulate
from loadtests.tests.model.shops import MIX, SHOP, servers, station
from loadtests.tests.model.test_queues import crommelin

RUNS = 10


def more(*values):
    """Further values that only `make test-all` takes."""
    return [pytest.param(*each, marks=pytest.mark.thorough) for each in values]


def held(expected, calibration, layout, rate, requests, step="page"):
    """The 99 % interval (Student's t) of the means of ten independent runs contains what the formula says."""
    seconds = requests / RUNS / rate
    load, warm_up_s = Load(rate, {step: 1}, 1.3 * seconds), 0.3 * seconds
    runs = [simulate(calibration, layout, load, seed=seed, warm_up_s=warm_up_s) for seed in range(1, RUNS + 1)]
    means = [run.mean_s() for run in runs]
    half = student.ppf(0.995, RUNS - 1) * statistics.stdev(means) / math.sqrt(RUNS)
    assert abs(statistics.fmean(means) - expected) <= half, (expected, statistics.fmean(means), half)
    assert half < 0.12 * expected  # an interval that holds everything would say nothing
    return runs


@pytest.mark.parametrize("utilization", [*more((0.3,), (0.7,)), 0.8])
def test_one_server_with_exponential_work_is_mm1(utilization):
    rate = 100 * utilization
    runs = held(queues.mm1(rate, 0.01).response_s, station(0.01, cv=1), servers(1), rate, 80_000)
    p90 = statistics.fmean(run.percentile_s(0.9) for run in runs)
    assert p90 == pytest.approx(percentiles.response_percentile_s(0.9, rate, 0.01, 1), rel=0.1)


@pytest.mark.parametrize(("count", "utilization"), [*more((2, 0.6), (16, 0.9)), (4, 0.8)])
def test_several_servers_with_one_line_are_mmc(count, utilization):
    rate = count * 20 * utilization
    held(queues.mmc(rate, 0.05, count).response_s, station(0.05, cv=1), servers(count), rate, 50_000)


@pytest.mark.parametrize("cv", [*more((0,), (0.5,)), 2])
def test_other_work_is_pollaczek_and_khinchine(cv):
    held(queues.mg1(70, 0.01, cv).response_s, station(0.01, cv), servers(1), 70, 60_000)


def test_threads_that_wait_for_a_bank_are_md_c():
    # 8 threads wait for 0.2 s each and use no processor: M/D/8, for which Crommelin knows the mean wait.
    bank = Calibration({"charge": {"payments": 0.0, "bank": 0.0}}, bank_s=0.2)
    layout = Layout({"payments": 1, "bank": 1}, cores=2, threads={"payments": 8, "bank": 10**6})
    exact = 0.2 + crommelin(34, 0.2, 8)
    held(exact, bank, layout, 34, 40_000, step="charge")
    assert queues.mgc(34, 0.2, 8, cv=0).response_s == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("cv", [*more((0.5,)), 2])
def test_many_processes_on_one_core_share_it_whatever_the_work_is_like(cv):
    held(queues.processor_sharing_s(70, 0.01), station(0.01, cv), servers(1, replicas=400, cores=1), 70, 50_000)


def test_more_load_than_cores_is_served_as_fast_as_they_can():
    found = simulate(SHOP, on_one_host(SHOP, 2), Load(2000, MIX, 20), warm_up_s=5)
    busy = sum(found.cores(service) for service in found.cpu_s)
    assert busy == pytest.approx(2, rel=0.02)
    assert found.count("refused") + found.count("late") > 0.3 * len(found.of())


def test_the_cores_in_use_are_those_of_the_utilisation_law():
    found = simulate(SHOP, on_one_host(SHOP, 4), Load(200, MIX, 60), warm_up_s=5)
    for service, cores in SHOP.cores(200, MIX).items():
        assert found.cores(service) == pytest.approx(cores, rel=0.12), service


@pytest.mark.parametrize("rate", [50, 300, 1500])
def test_all_that_came_has_left_and_each_placed_order_has_ended(rate):
    found = simulate(SHOP, on_one_host(SHOP, 2), Load(rate, MIX, 10))
    assert found.left_over == 0
    assert len(found.settled) == found.count("ok", "order") + found.count("late", "order")
    assert all(ended.left_s >= ended.came_s for ended in found.ended)
    assert sum(found.results().values()) == len(found.ended) > 0


def test_the_same_seed_is_the_same_run_and_another_seed_another():
    runs = [simulate(SHOP, on_one_host(SHOP, 2), Load(100, MIX, 5), seed=seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0].ended != runs[2].ended


def test_constant_arrivals_wait_less_than_poisson_ones():
    constant, poisson = (
        simulate(station(0.01, 0), servers(1), Load(80, {"page": 1}, 100, kind)) for kind in ("constant", "poisson")
    )
    assert constant.mean_s() == pytest.approx(0.01)
    assert poisson.mean_s() > 0.02


def test_nobody_waits_for_what_follows_an_order():
    shop, load = replace(SHOP, cpu_cv=0), Load(5, {"order": 1}, 60)
    quick = simulate(shop, on_one_host(SHOP, 8), load)
    slow_bank = simulate(replace(shop, bank_s=0.5), on_one_host(SHOP, 8), load)
    assert slow_bank.mean_s() == pytest.approx(quick.mean_s(), rel=0.02)
    assert slow_bank.settle_s() == pytest.approx(quick.settle_s() + 0.5, rel=0.05)


@pytest.mark.parametrize(("users", "most"), [(1, 100), (2, 200), (3, 300), (12, 300)])
def test_users_without_a_pause_keep_as_many_servers_busy_as_they_are(users, most):
    found = simulate(station(0.01, 1), servers(3), Users(users, {"page": 1}, 70), warm_up_s=10)
    assert found.throughput() == pytest.approx(most, rel=0.03)  # utilisation law
    assert found.throughput() * found.mean_s() == pytest.approx(users, rel=0.01)  # Little's law


def test_a_write_lock_bounds_what_any_number_of_replicas_can_write():
    locked = replace(SHOP, locks_s={"orders": 0.01})
    layout = replace(on_one_host(SHOP, 64, orders=16, inventory=8, payments=8), most_open_orders=0)
    found = simulate(locked, layout, Load(60, {"order": 1}, 20), warm_up_s=5)
    # An order writes three times at orders, so the lock has room for 33 orders a second.
    assert len([1 for came, took in found.settled if 5 <= came + took < 20]) / 15 < 35
    free = simulate(SHOP, layout, Load(60, {"order": 1}, 20), warm_up_s=5)
    assert len([1 for came, took in free.settled if 5 <= came + took < 20]) / 15 == pytest.approx(60, rel=0.1)


def test_of_two_at_random_the_idler_one_is_better_than_one_at_random():
    means = {
        strategy: simulate(station(0.01, 1), servers(1, 8, 8, strategy), Load(640, {"page": 1}, 25)).mean_s()
        for strategy in ("random", "p2c", "round_robin")
    }
    assert means["p2c"] < 0.7 * means["random"]
    assert means["round_robin"] < means["random"]


def test_requests_beyond_the_places_are_refused_at_once():
    layout = Layout({"nginx": 1, "catalog": 1}, 1.0, threads={"catalog": 1}, places_per_thread=2)
    found = simulate(station(0.01, 1), layout, Load(500, {"page": 1}, 60))
    # M/M/1/2: refused = r^2 / (1 + r + r^2) with r = 5.
    assert found.count("refused") / len(found.ended) == pytest.approx(25 / 31, rel=0.02)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Load(0, MIX, 1), "rate"),
        (lambda: Users(0, MIX, 1), "users"),
        (lambda: Load(1, MIX, 1, "bursty"), "poisson or constant"),
        (lambda: simulate(SHOP, on_one_host(SHOP, 2), Load(1, {"charge": 1}, 1)), "knows nothing of charge"),
        (lambda: simulate(SHOP, on_one_host(SHOP, 2), Load(1, {"page": 0}, 1)), "sum_of_weights"),
        (lambda: on_one_host(replace(SHOP, idle={"runner": 3.0}), 2), "cores"),
        (lambda: Layout({"catalog": 0}, 1.0), "replicas of catalog"),
        (lambda: Layout({"catalog": 1}, 1.0, strategy="best"), "random, round_robin or p2c"),
        (lambda: Layout({"catalog": 1}, 1.0, hosts=2, zones=3), "cannot lie in 3 zones"),
        (lambda: replace(SHOP, demands_s={"page": {"catalog": 0.1}}), "served by nginx too"),
        (lambda: replace(SHOP, demands_s={"pages": {}}), "no step is called 'pages'"),
        (lambda: replace(SHOP, bank_s=-1), "bank_s"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
