"""Which instance served how much, over time: areas on top of each other, so that their sum is the service's rate."""

from typing import TYPE_CHECKING

import numpy as np

from loadtests.lab.plots.style import COLOURS, legend_above
from loadtests.lab.timeline import by_instance, edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loadtests.lab.plots.failure import Trace

HATCHES = ("", "////", "---", "\\\\\\\\", "xxx", "|||")
MOST = 6  # further instances are one area together


def draw_instances(axis: "Axes", trace: "Trace", arm: str, service: str | None) -> None:
    """Good answers a second of each instance of the service (None: of all)."""
    first, last = trace.shown_s
    bins = edges(trace.begin_s - int(trace.begin_s - first), last)
    found = by_instance(trace.samples, bins, service)
    if len(found) > MOST:
        names = list(found)
        rest = np.sum([found[name] for name in names[MOST - 1 :]], axis=0)
        found = {name: found[name] for name in names[: MOST - 1]} | {f"{len(names) - MOST + 1} others": rest}
    below = np.zeros(bins.size - 1)
    for (name, rates), colour, hatch in zip(found.items(), COLOURS, HATCHES, strict=False):
        axis.stairs(
            below + rates, bins - trace.begin_s, baseline=below, fill=True, facecolor=colour, edgecolor="white",
            linewidth=0.5, hatch=hatch, label=short(name, service),
        )  # fmt: skip
        below = below + rates
    axis.set(title=f"{service or 'Served'}, {arm}" if arm else f"Served by {service or 'whom'}", ylim=(0, None))
    if found:
        legend_above(axis, columns=3)


def short(instance: str, service: str | None = None) -> str:
    """`catalog-127.0.0.1-40123` -> `catalog 40123`, or `40123` where the service is known: the host is one for all."""
    parts = instance.split("-")
    if len(parts) < 3:
        return instance
    return parts[-1] if service else f"{parts[0]} {parts[-1]}"
