"""What does our registry cost, beside a real Consul? Both are started here and asked the same, in turn.

Where no Consul is found (CONSUL_BIN, or `consul` on the PATH), ours is shown alone. Ends with 1 when a promise of
ours is broken.

python -m bench.registry [--instances 2000] [--growth docs/img/registry-growth.svg]
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.registry_figures import Found, Subject, read, register, renew, renew_among_changes, wake
from bench.registry_plot import draw
from bench.table import show
from registry.testing import consul_binary, start_consul, start_registry

INSTANCES = 2000
SIZES = (10, 50, 200, 500, 1000, 2000)
# What is measured, and how often; of several times the median counts.
FIGURES: list[tuple[Callable[[Subject], Found], int]] = [
    (partial(read, service="few", figure="CPU of a read of 10, ms"), 3),
    (partial(read, service="all", figure="CPU of a read of all, ms"), 1),
    (partial(wake, service="few", watchers=1, figure="a watcher woken, ms"), 50),
    (partial(wake, service="few", watchers=200, figure="200 watchers woken, ms"), 5),
    (partial(wake, service="few", watchers=1000, figure="1000 watchers woken, ms"), 3),
    (partial(wake, service="all", watchers=1, figure="a watcher of all woken, ms"), 5),
    (renew, 3),
    (renew_among_changes, 3),
]
# What is promised: a number that ours stays below, or that it is no worse than Consul's in the same run.
BELOW = {
    "a watcher woken, ms": 5,
    "200 watchers woken, ms": 60,
    "1000 watchers woken, ms": 1000,
    "renewal p99, 1000 blocked, ms": 50,
    "memory, MiB": 150,
}
AT_MOST_CONSULS = ("CPU of a read of 10, ms", "all registered, s")
AT_LEAST_CONSULS = ("renewals per s",)
By = dict[str, Found]  # a server's name -> its figures


def run(instances: int = INSTANCES) -> int:
    """Print the figures with so many instances. 1 when a promise is broken, else 0."""
    with subjects() as found:
        return report(measured(found, instances), instances)


def grow(instances: int, image: Path) -> int:
    """The same with ever more instances, up to so many; draws how each figure grows."""
    with subjects() as found:
        grown = {size: measured(found, size) for size in (*(size for size in SIZES if size < instances), instances)}
    for server in grown[instances]:
        rows = [[name, *(short(by[server][name]) for by in grown.values())] for name in grown[instances][server]]
        show(f"{server}, by the number of instances", ["figure", *map(str, grown)], rows)
    draw(grown, image)
    return report(grown[instances], instances)


@contextmanager
def subjects() -> Iterator[list[Subject]]:
    """Our registry, and a Consul where there is one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = [Subject("ours", stack.enter_context(start_registry(folder / "ours")))]
        if consul_binary():
            found.append(Subject("Consul", stack.enter_context(start_consul(folder / "consul"))))
        yield found


def measured(found: Sequence[Subject], instances: int) -> By:
    """The figures with so many instances. The servers take turns, so that both meet the same machine."""
    values: dict[str, dict[str, list[float]]] = {subject.name: defaultdict(list) for subject in found}
    for measure, rounds in [(partial(register, instances=instances), 1), *FIGURES]:
        for _ in range(rounds):
            for subject in found:
                for name, value in measure(subject).items():
                    values[subject.name][name].append(value)
    return {server: {name: statistics.median(all) for name, all in names.items()} for server, names in values.items()}


def report(figures: By, instances: int) -> int:
    """Print the table; 1 when a promise is broken, else 0."""
    ours, consul = figures["ours"], figures.get("Consul", {})
    rows = []
    for name, value in ours.items():
        ratio = value / consul[name] if consul else "-"
        rows.append([name, promised(name), short(value), short(consul[name]) if consul else "-", ratio])
    note = "" if consul else "no Consul was found (CONSUL_BIN): what is promised beside it was not checked"
    show(f"the registry with {instances} instances", ["figure", "promised", "ours", "Consul", "ratio"], rows, note)
    for name in broken(ours, consul):
        print(f"broken: {name} is promised {promised(name)}", file=sys.stderr)
    return int(bool(broken(ours, consul)))


def short(value: float) -> str:
    """With three digits, or all that stand before the point."""
    return f"{value:.{max(0, 2 - int(math.log10(max(value, 1))))}f}"


def promised(name: str) -> str:
    if name in BELOW:
        return f"below {BELOW[name]}"
    return "at most Consul's" if name in AT_MOST_CONSULS else "at least Consul's" if name in AT_LEAST_CONSULS else ""


def broken(ours: Found, consul: Found) -> list[str]:
    """The names of our figures that break a promise; `consul` is empty where there is none."""
    found = [name for name, limit in BELOW.items() if ours[name] >= limit]
    if consul:
        found += [name for name in AT_MOST_CONSULS if ours[name] > consul[name]]
        found += [name for name in AT_LEAST_CONSULS if ours[name] < consul[name]]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    parser.add_argument("--growth", type=Path, metavar="SVG", help="measure smaller sizes, too, and draw them")
    options = parser.parse_args()
    sys.exit(grow(options.instances, options.growth) if options.growth else run(options.instances))
