"""What these machines cannot run: many replicas, many shoppers, the loss of a zone. By simulation, from a calibration.

What is taken for granted: databases that carry the load (unless `Calibration.locks_s` says what a write costs them),
machines like the measured one, a network that is never the limit, load that is spread evenly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtests.model.calibration import Calibration, idle_share
from loadtests.model.checks import inside, positive
from loadtests.model.layout import Layout, replicas_for, spread_out
from loadtests.model.simulation import Load, simulate

REQUESTS = 30_000  # of a simulated cell: enough for a p99, and a few seconds of computing
VISIT = {"page": 1.5, "fresh_product": 1.5, "stock": 1.5, "look": 2.0, "order": 0.75}  # requests of a shopper's visit


@dataclass(frozen=True)
class Scaled:
    """A shop of `replicas` (service -> number) under `rate` requests a second.

    Times in s; settled_s: median of orders.
    """

    replicas: Mapping[str, int]
    rate: float
    throughput: float
    mean_s: float
    p99_s: float
    settled_s: float
    cells: int

    @property
    def total(self) -> int:
        return sum(self.replicas.values())


def capacity(calibration: Calibration, layout: Layout, mix: Mapping[str, float], busy: float = 1.0) -> float:
    """Requests a second at which the first service is so busy: the least of busy * replicas / demand (utilisation law).

    A replica is one process, so it uses one core at most; here each has one. Raises ValueError.
    """
    needs = calibration.cores(1.0, mix, idle_share(busy, round(layout.cores)))
    scaled = (service for service in layout.replicas if needs.get(service))
    return layout.cells * busy * min(layout.replicas[service] / needs[service] for service in scaled)


def scale_out(
    calibration: Calibration,
    mix: Mapping[str, float],
    totals: Sequence[int] = (10, 100, 1000),
    *,
    busy: float = 0.7,
    seed: int = 1,
) -> list[Scaled]:
    """Shops of so many replicas, each under so large a share of what it can carry.

    Raises ValueError for what cannot be.
    """
    inside(busy=busy)
    layouts = [spread_out(calibration, total, mix) for total in totals]
    return [_scaled(calibration, layout, mix, capacity(calibration, layout, mix, busy), seed) for layout in layouts]


def shoppers(
    calibration: Calibration,
    number: int = 1_000_000,
    *,
    visit: Mapping[str, float] = VISIT,
    every_s: float = 600,
    busy: float = 0.6,
    seed: int = 1,
) -> Scaled:
    """So many shoppers who each come once in every_s, at random: what they need, and what they would see.

    visit: step -> requests of one visit. Independent shoppers make Poisson arrivals at number / every_s visits a
    second, whatever each of them does (Palm and Khintchine). Raises ValueError.
    """
    positive(number=number, every_s=every_s)
    rate = number / every_s * sum(visit.values())
    total = sum(replicas_for(calibration, rate, visit, busy).values())
    return _scaled(calibration, spread_out(calibration, total, visit), visit, rate, seed)


def _scaled(calibration: Calibration, layout: Layout, mix: Mapping[str, float], rate: float, seed: int) -> Scaled:
    seconds = REQUESTS * layout.cells / rate
    found = simulate(calibration, layout, Load(rate, mix, 1.25 * seconds), seed=seed, warm_up_s=0.25 * seconds)
    replicas = {service: number * layout.cells for service, number in layout.replicas.items()}
    return Scaled(
        replicas, rate, found.throughput(), found.mean_s(), found.percentile_s(0.99), found.settle_s(), layout.cells
    )
