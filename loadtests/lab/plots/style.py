"""One look for all plots: colours that differ to everybody and in grey, sizes for print and for a phone."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008, in an order in which neighbours differ in brightness too.
BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
GREY, SHADE = "#6b6b6b", "#ececec"
WIDTH_IN = 6.2  # narrow, so that the letters stay readable where a phone shrinks it
PNG_DPI = 200
SETTINGS = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10.5, "axes.labelsize": 10, "legend.fontsize": 9,
    "xtick.labelsize": 9.5, "ytick.labelsize": 9.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.6,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "legend.frameon": False, "svg.fonttype": "path",
    # Ids come from what is drawn and not from chance, so that a new picture is a change of the numbers.
    "svg.hashsalt": "souk", "figure.facecolor": "white", "savefig.facecolor": "white",
}  # fmt: skip


@contextmanager
def figure(rows: int = 1, height_in: float = 3.6, **options: object) -> Iterator[tuple["Figure", list["Axes"]]]:
    """A figure with axes below each other; closed at the end, whatever happens. Needs no screen."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        made = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        FigureCanvasAgg(made)
        axes = made.subplots(rows, 1, squeeze=False, **options)  # type: ignore[arg-type]
        yield made, list(axes[:, 0])


def save(made: "Figure", folder: Path, name: str, title: str, caption: str) -> dict[str, str]:
    """Write plots/<name>.svg and .png below the folder; the row for summary.json."""
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    made.savefig(plots / f"{name}.svg", metadata={"Date": None})
    made.savefig(plots / f"{name}.png", dpi=PNG_DPI, metadata={"Software": None})
    return {"file": f"plots/{name}.svg", "title": title, "caption": caption}


def plain_log(axis: "Axes", which: str = "y") -> None:
    """A logarithmic axis with plain numbers: 5, 20, 100 and not powers of ten. Left alone where nothing is drawn."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if not math.isfinite(axis.dataLim.minpos["xy".index(which)]):
        return
    getattr(axis, f"set_{which}scale")("log")
    scale = getattr(axis, f"{which}axis")
    scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
    scale.set_major_formatter(StrMethodFormatter("{x:g}"))
    scale.set_minor_formatter(NullFormatter())


def legend_above(axis: "Axes", columns: int = 4, **options: object) -> None:
    """Outside the data, right on the title's line, so that it hides nothing."""
    axis.legend(
        loc="lower right", bbox_to_anchor=(1.01, 0.99), ncols=columns, borderaxespad=0.1, handlelength=1.7,
        columnspacing=1.0, handletextpad=0.4, **options,
    )  # fmt: skip


def legend_below(made: "Figure", axis: "Axes", columns: int = 2) -> None:
    """Under the axes, where it hides nothing however many lines there are; none where nothing is named."""
    handles, names = axis.get_legend_handles_labels()
    if handles:
        made.legend(handles, names, loc="outside lower center", ncols=columns, handlelength=2.4, columnspacing=1.2)
