"""Where the shop runs: how many replicas of what, on how many machines, in how many zones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from loadtests.model.calibration import Calibration, idle_share
from loadtests.model.checks import inside, not_negative, positive, whole
from loadtests.model.topology import BANK, NGINX, units

THREADS = {"orders": 32, "bank": 16, "accounts": 64}  # services/fleet.toml; all others:
THREADS_OF_OTHERS = 8
NGINX_WORKERS = 2
CORES = 2  # of each of many machines
PAYMENT_WORKERS = 4


@dataclass(frozen=True)
class Layout:
    """Machines, and replicas on them, dealt out one after the other.

    replicas: service -> how many. hosts of `cores` each, dealt out over `zones`. threads, workers, processes:
    service -> of one replica. places_per_thread: requests that are sent to a replica for each of its threads before
    others are refused; 0: no limit. most_open_orders: more are refused; 0: no limit. strategy: random, round_robin
    or p2c (of two at random the one with less to do). cells: the whole is so many times this; one of them is
    simulated, with its share of the load.
    """

    replicas: Mapping[str, int]
    cores: float
    hosts: int = 1
    zones: int = 1
    threads: Mapping[str, int] = field(default_factory=dict)
    processes: Mapping[str, int] = field(default_factory=lambda: {NGINX: NGINX_WORKERS})
    workers: int = PAYMENT_WORKERS
    places_per_thread: int = 0
    most_open_orders: int = 0
    strategy: str = "p2c"
    cells: int = 1
    outside: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        positive(cores=self.cores)
        whole(1, hosts=self.hosts, zones=self.zones, workers=self.workers, cells=self.cells)
        whole(1, **{f"replicas of {service}": count for service, count in self.replicas.items()})
        not_negative(places_per_thread=self.places_per_thread, most_open_orders=self.most_open_orders)
        if self.strategy not in ("random", "round_robin", "p2c"):
            raise ValueError(f"a strategy is random, round_robin or p2c, not {self.strategy!r}")
        if self.zones > self.hosts:
            raise ValueError(f"{self.hosts} hosts cannot lie in {self.zones} zones")

    def threads_of(self, service: str) -> int | None:
        """None: any number at once, as nginx has it, and whoever stands outside."""
        if service == NGINX or service in self.outside:
            return None
        return self.threads.get(service, THREADS.get(service, THREADS_OF_OTHERS))

    def whole(self) -> "Layout":
        """The same with all cells as one, everybody asking everybody."""
        replicas = {service: count * self.cells for service, count in self.replicas.items()}
        return replace(self, replicas=replicas, hosts=self.hosts * self.cells, cells=1)


def on_one_host(calibration: Calibration, cores: float, **replicas: int) -> Layout:
    """The shop as it runs on one machine: one replica of each, unless another number is given (payments=4).

    The generator is on the same cores, and so is what is used idle, which is taken off. Raises ValueError where nothing
    is left.
    """
    named = {subject: 1 for demands in calibration.demands_s.values() for subject in demands}
    return Layout(named | replicas, cores - sum(calibration.idle.values()), places_per_thread=2, most_open_orders=200)


def spread_out(
    calibration: Calibration,
    total: int,
    mix: Mapping[str, float],
    *,
    zones: int = 1,
    cores: int = CORES,
    cell: int = 60,
) -> Layout:
    """`total` replicas of services or a few more, one to a core, over equal zones.

    Each service has a replica in each zone, and beyond that as many as its share of the CPU asks for. It is simulated
    as equal cells of about `cell` replicas. Bank and gateway stand elsewhere, are not counted and never the limit.
    Raises ValueError where there are too few replicas for that.
    """
    whole(1, total=total, zones=zones, cores=cores, cell=cell)
    cells = max(1, round(total / cell))
    wanted = _dealt(_scaled(calibration.cores(1.0, mix), mix), math.ceil(total / cells), least=zones)
    hosts = math.ceil(sum(wanted.values()) / cores)
    return Layout(wanted, float(cores), hosts + -hosts % zones, zones, outside=frozenset({BANK, NGINX}), cells=cells)


def replicas_for(calibration: Calibration, rate: float, mix: Mapping[str, float], busy: float = 0.6) -> dict[str, int]:
    """service -> replicas, if each is to use so much of a core at this load: ceil(cores / busy).

    One for each core, on machines of two. Raises ValueError.
    """
    inside(busy=busy)
    needs = _scaled(calibration.cores(rate, mix, idle_share(busy, CORES)), mix)
    return {service: max(1, math.ceil(cores / busy)) for service, cores in needs.items()}


def _scaled(cores: Mapping[str, float], mix: Mapping[str, float]) -> dict[str, float]:
    """Of the subjects that need CPU, those that get replicas."""
    taking_part = {service for step in mix for service in units(step)}
    return {service: cores[service] for service in sorted(taking_part - {BANK, NGINX})}


def _dealt(needs: Mapping[str, float], total: int, least: int) -> dict[str, int]:
    """The least for each service, and each further one to whom it helps most (the highest need for a replica;

    D'Hondt).
    """
    if total < least * len(needs):
        raise ValueError(f"{total} replicas are too few for {len(needs)} services with {least} each")
    dealt = dict.fromkeys(needs, least)
    for _ in range(total - least * len(needs)):
        dealt[max(needs, key=lambda service: needs[service] / dealt[service])] += 1
    return dealt
