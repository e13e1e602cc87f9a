"""How the registry's figures grow with the instances, drawn: ours solid, Consul's dashed."""

from collections.abc import Mapping
from pathlib import Path

# Panel's title, its axis, and its lines: the figure, and what the legend says.
PANELS = (
    ("CPU of a read", "ms", ("CPU of a read of 10 instances, ms", "a service of 10"),
     ("CPU of a read of all instances, ms", "a service of all")),
    ("A registration", "ms", ("a registration, ms", "one client")),
    ("Registration to the last watcher's answer", "ms", ("a watcher woken, ms", "1 watcher"),
     ("200 watchers woken, ms", "200"), ("1000 watchers woken, ms", "1000"),
     ("a watcher of all instances woken, ms", "1, of a service of all")),
    ("Renewals, 1000 watchers blocked", "per second", ("renewals per s", "four clients")),
    ("Renewal, p99", "ms", ("renewal p99, 1000 watchers blocked, ms", "1000 watchers blocked"),
     ("renewal p99, 1000 watchers woken, ms", "woken twice a second")),
    ("Memory, 1000 watchers blocked", "MiB", ("memory, MiB", "PSS")),
)  # fmt: skip
# Okabe and Ito's colours, which differ to everybody; the style of the line says whose it is without any.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
STYLES = {"ours": ("-", "o"), "Consul": ("--", "s")}


def draw(grown: Mapping[int, Mapping[str, Mapping[str, float]]], image: Path) -> None:
    """Write the picture. grown: instances -> server -> figure -> value; the ending of `image` is its format."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # Always the same bytes for the same figures, so that a new picture is a change of the figures.
    matplotlib.rcParams |= {"svg.hashsalt": "registry", "font.size": 9, "axes.titlesize": 10}
    picture, axes = pyplot.subplots(3, 2, figsize=(10, 11), sharex=True, layout="constrained")
    for axis, (title, unit, *lines) in zip(axes.flat, PANELS, strict=True):
        for colour, (figure, words) in zip(COLOURS, lines, strict=False):
            for server, (style, marker) in STYLES.items():
                points = {size: by[server][figure] for size, by in grown.items() if server in by}
                if points:
                    label = f"{words}, {server}"
                    axis.plot(
                        list(points), list(points.values()), style, marker=marker, ms=4, color=colour, label=label
                    )
        axis.set(title=title, ylabel=unit, xscale="log", yscale="log", xticks=list(grown))
        axis.set_xticklabels(map(str, grown))
        axis.tick_params(axis="x", which="minor", length=0, labelbottom=True)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("instances registered")
    picture.savefig(image, metadata={"Date": None} if image.suffix == ".svg" else None)
