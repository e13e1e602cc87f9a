import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model import laws
from loadtests.tests.model.steady import steady

# Denning and Buzen 1978: 25 terminals, 18 s of thinking, 20 visits of 25 ms to a disk that is busy 30 % of the time.
DISK_S, VISITS, BUSY, TERMINALS, THINK_S = 0.025, 20, 0.3, 25, 18


def test_the_disk_of_a_time_sharing_system_tells_its_response_time():
    throughput = BUSY / (VISITS * DISK_S)
    assert throughput == pytest.approx(0.6)
    assert laws.utilization(throughput, VISITS * DISK_S) == pytest.approx(BUSY)
    assert laws.utilization(30, 0.1, servers=4) == pytest.approx(0.75)
    assert laws.forced_flow(throughput, VISITS) == pytest.approx(12)
    assert laws.response_time(TERMINALS, throughput, THINK_S) == pytest.approx(23.67, abs=0.01)


def test_littles_law_counts_who_is_inside_and_who_thinks():
    inside = laws.population(0.6, 23.0 + 2 / 3)
    thinking = laws.population(0.6, 18)
    assert inside + thinking == pytest.approx(25)


def test_a_demand_comes_from_busy_time_and_from_cores():
    assert laws.service_demand(busy_s=36, completions=1800) == pytest.approx(0.02)
    assert laws.cpu_demand(cores_busy=0.7, throughput=30, cores_idle=0.1) == pytest.approx(0.02)
    assert laws.wait_demand(response_s=0.205, cpu_s=0.005) == pytest.approx(0.2)
    assert laws.wait_demand(response_s=0.004, cpu_s=0.005) == 0


def test_bounds_of_a_small_closed_system_worked_by_hand():
    # LZGS 5.2 by hand: D = 0.605 + 2.1 + 1.35 = 4.055 s, D_max = 2.1 s, Z = 15 s.
    found = laws.bounds({"cpu": 0.605, "disk 1": 2.1, "disk 2": 1.35}, users=20, think_s=15)
    assert found.bottleneck == "disk 1"
    assert found.throughput_high == pytest.approx(1 / 2.1)
    assert found.throughput_low == pytest.approx(20 / (20 * 4.055 + 15))
    assert found.response_low_s == pytest.approx(20 * 2.1 - 15)
    assert found.response_high_s == pytest.approx(20 * 4.055)
    assert found.knee == pytest.approx(19.055 / 2.1)


def test_more_servers_move_the_bottleneck_elsewhere():
    found = laws.bounds({"payments": 0.2, "orders": 0.03}, users=100, servers={"payments": 16})
    assert found.bottleneck == "orders"
    assert found.throughput_high == pytest.approx(1 / 0.03)
    assert laws.bounds({"payments": 0.2}, 100, servers={"payments": 16}).response_low_s == pytest.approx(100 * 0.2 / 16)


@steady
@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=6), st.integers(1, 500), st.floats(0, 100))
def test_the_lower_bound_is_never_above_the_upper(demands, users, think_s):
    found = laws.bounds({str(i): d for i, d in enumerate(demands)}, users, think_s)
    assert found.throughput_low <= found.throughput_high * (1 + 1e-9)
    assert found.response_low_s <= found.response_high_s * (1 + 1e-9)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: laws.population(-1, 1), "throughput"),
        (lambda: laws.utilization(1, float("nan")), "demand_s"),
        (lambda: laws.utilization(1, 1, servers=0), "servers"),
        (lambda: laws.service_demand(1, 0), "completions"),
        (lambda: laws.cpu_demand(0.1, 10, cores_idle=0.2), "cores_busy_above_idle"),
        (lambda: laws.response_time(10, 5, think_s=3), "cannot ask"),
        (lambda: laws.bounds({"cpu": 0.0}, 1), "sum_of_demands_s"),
        (lambda: laws.bounds({}, 1), "sum_of_demands_s"),
        (lambda: laws.bounds({"cpu": 1.0}, 1.5), "users"),
        (lambda: laws.bounds({"cpu": 1.0}, True), "users"),
        (lambda: laws.bounds({"cpu": 1.0}, 1, servers={"cpu": 0}), "cpu"),
        (lambda: laws.population("fast", 1), "throughput"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
