"""Operational laws: they hold for any system that is measured for long enough, whatever its distributions.

Source of all: Denning and Buzen, "The Operational Analysis of Queueing Network Models", ACM Computing Surveys 10(3),
1978; Lazowska, Zahorjan, Graham and Sevcik, "Quantitative System Performance", 1984, chapters 3 and 5 (below: LZGS).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loadtests.model.checks import not_negative, positive, whole


def population(throughput: float, response_s: float) -> float:
    """Little's law: N = X R. How many are inside, on average.

    X throughput (1/s), R time spent inside (s). Raises ValueError for negative input. LZGS 3.3.
    """
    not_negative(throughput=throughput, response_s=response_s)
    return throughput * response_s


def utilization(throughput: float, demand_s: float, servers: float = 1) -> float:
    """Utilisation law: U = X D / c. The share of time that each of c servers is busy; above 1 means that it cannot be.

    X throughput (1/s), D service demand of one request (s), c servers. Raises ValueError. LZGS 3.2.
    """
    not_negative(throughput=throughput, demand_s=demand_s)
    positive(servers=servers)
    return throughput * demand_s / servers


def forced_flow(throughput: float, visits: float) -> float:
    """Forced flow law: X_k = V_k X. The rate at one station, from the rate of the whole.

    X throughput of the system (1/s), V_k visits to the station for one request. Raises ValueError. LZGS 3.4.
    """
    not_negative(throughput=throughput, visits=visits)
    return throughput * visits


def service_demand(busy_s: float, completions: float) -> float:
    """Service demand: D = B / C (s). What one request costs a station, over all its visits.

    B time that the station was busy, e.g. CPU seconds of a service's processes (s), C requests completed meanwhile.
    Raises ValueError, also where nothing completed. LZGS 3.2 and 3.4.
    """
    not_negative(busy_s=busy_s)
    positive(completions=completions)
    return busy_s / completions


def cpu_demand(cores_busy: float, throughput: float, cores_idle: float = 0) -> float:
    """Service demand from measured CPU: D = (U - U_0) / X (s), the utilisation law solved for D.

    U cores busy under load, U_0 cores busy while nobody asks for anything, X throughput (1/s).
    Raises ValueError, also where the load used less than nothing.
    """
    not_negative(cores_busy=cores_busy, cores_idle=cores_idle)
    positive(throughput=throughput)
    not_negative(cores_busy_above_idle=cores_busy - cores_idle)
    return (cores_busy - cores_idle) / throughput


def wait_demand(response_s: float, cpu_s: float) -> float:
    """What a request waits for without using a CPU: Z = R_1 - D (s), e.g. for a bank or a disk.

    R_1 mean response time at a load so light that nobody queues (s), D its CPU on the way of the answer (s). 0 where
    the measured R_1 is below D. Raises ValueError for negative input.
    """
    not_negative(response_s=response_s, cpu_s=cpu_s)
    return max(0.0, response_s - cpu_s)


def response_time(users: float, throughput: float, think_s: float = 0) -> float:
    """Interactive response time law: R = N / X - Z (s), Little's law for users who think between requests.

    N users, X throughput (1/s), Z think time (s). Raises ValueError, also where N and X contradict Z. LZGS 3.3.
    """
    positive(users=users, throughput=throughput)
    not_negative(think_s=think_s)
    response_s = users / throughput - think_s
    if response_s < -1e-9:
        raise ValueError(f"{users:g} users who think for {think_s:g} s cannot ask {throughput:g} times a second")
    return max(0.0, response_s)


@dataclass(frozen=True)
class Bounds:
    """Asymptotic bounds of a closed system: rates in 1/s, times in s. `knee`: the users where both lines cross."""

    throughput_low: float
    throughput_high: float
    response_low_s: float
    response_high_s: float
    knee: float
    bottleneck: str


def bounds(
    demands_s: Mapping[str, float], users: int, think_s: float = 0, servers: Mapping[str, int] | None = None
) -> Bounds:
    """Asymptotic bounds: N/(N D + Z) <= X <= min(N/(D + Z), 1/D_max), and R = N/X - Z at both ends. N* = (D + Z)/D_max.

    D_k demand at each station (s), D their sum, D_max the greatest D_k/c_k, c_k servers (1 where it is not said), Z
    think time (s), N users. Raises ValueError. LZGS 5.2; a station of c_k servers can do at most c_k/D_k.
    """
    whole(1, users=users)
    not_negative(think_s=think_s, **dict(demands_s))
    servers = servers or {}
    total_s = sum(demands_s.values())
    positive(sum_of_demands_s=total_s, **{name: float(count) for name, count in servers.items()})
    bottleneck = max(demands_s, key=lambda name: demands_s[name] / servers.get(name, 1))
    slowest_s = demands_s[bottleneck] / servers.get(bottleneck, 1)
    low, high = users / (users * total_s + think_s), min(users / (total_s + think_s), 1 / slowest_s)
    return Bounds(
        low,
        high,
        max(total_s, users * slowest_s - think_s),
        users * total_s,
        (total_s + think_s) / slowest_s,
        bottleneck,
    )
