"""How the registry's figures grow with the instances, drawn: ours solid, Consul's dashed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A panel's title, its axis, and for each line the figure and its name in the legend.
PANELS = (
    ("A read", "CPU, ms", {"CPU of a read of 10, ms": "of 10 instances", "CPU of a read of all, ms": "of all"}),
    ("A renewal, and one of 1000 watchers woken", "CPU, ms",
     {"CPU of a renewal, ms": "a renewal", "CPU of waking one of 1000, ms": "a watcher"}),
    ("A registration, median", "ms", {"a registration, ms": "one client"}),
    ("Registration to the answer of a watcher", "ms",
     {"a watcher woken, ms": "of 10 instances", "a watcher of all woken, ms": "of all"}),
    ("Registration to the answer of the last watcher", "ms",
     {"200 watchers woken, ms": "200 watchers", "1000 watchers woken, ms": "1000 watchers"}),
    ("Renewals while 1000 watchers wait", "per second", {"renewals per s": "four clients"}),
    ("A renewal, 99th percentile", "ms",
     {"renewal p99, 1000 blocked, ms": "1000 watchers wait", "renewal p99, 1000 woken, ms": "woken twice a second"}),
    ("Memory with 1000 watchers", "MiB (PSS)", {"memory, MiB": "all processes"}),
)  # fmt: skip
# Okabe and Ito's colours, which differ to everybody. The style of a line says whose it is.
COLOURS = ("#0072B2", "#D55E00")
STYLES = {"ours": ("-", "o"), "Consul": ("--", "s")}


def draw(grown: Mapping[int, Mapping[str, Mapping[str, float]]], image: Path) -> None:
    """Write an SVG. grown: instances -> server -> figure -> value."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same figures make the same bytes, so that a new picture is a change of the figures.
    matplotlib.rcParams |= {"svg.hashsalt": "registry", "font.size": 9, "axes.titlesize": 10}
    picture, axes = pyplot.subplots(4, 2, figsize=(9, 12), layout="constrained")
    for axis, (title, unit, lines) in zip(axes.flat, PANELS, strict=True):
        for colour, (figure, words) in zip(COLOURS, lines.items(), strict=False):
            for server, (style, marker) in STYLES.items():
                points = {size: by[server][figure] for size, by in grown.items() if server in by}
                label = f"{words}: {server}"
                axis.plot(list(points), list(points.values()), style, marker=marker, ms=4, color=colour, label=label)
        axis.set(title=title, ylabel=unit, xlabel="instances")
        _scale(axis, list(grown))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, ncols=2, loc="upper center")
    picture.savefig(image, metadata={"Date": None})


def _scale(axis: Any, sizes: list[int]) -> None:
    """Both axes logarithmic, with plain numbers on them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set(xscale="log", yscale="log", xticks=sizes)
    axis.set_xticks([], minor=True)
    axis.set_xticklabels([str(size) for size in sizes])
    low, high = axis.get_ylim()
    axis.set_ylim(low / 1.3, high * 4)  # room for the legend
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
