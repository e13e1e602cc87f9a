"""Predicted against measured, over load or replicas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.lab.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW, figure, plain_log, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What a point was for: fitted to, or kept aside to judge the fit by. Any other kind is the name of a series.
WORDS = {"measured": "measured", "validation": "measured, not used for the fit"}
POINTS = (("o", BLUE), ("D", ORANGE), ("s", SKY), ("^", YELLOW), ("v", PURPLE), ("P", GREEN))
LINES = ("-", "--", "-.", ":")
LINE_COLOURS = (GREEN, PURPLE, GREY, SKY)


@dataclass(frozen=True)
class Measured:
    """One point. low, high: its confidence interval, nan without.

    kind: measured; validation, which no line was fitted to; or the name of a series.
    """

    x: float
    value: float
    low: float = float("nan")
    high: float = float("nan")
    kind: str = "measured"


@dataclass(frozen=True)
class Predicted:
    """A line; low and high, where given, are a band around it."""

    label: str
    x: Sequence[float]
    value: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def curve(
    measured: Sequence[Measured],
    predicted: Sequence[Predicted],
    folder: Path,
    name: str,
    title: str,
    x_label: str,
    y_label: str,
    caption: str = "",
    limit: tuple[float, str] | None = None,
    log_y: bool = False,
) -> dict[str, str]:
    """Write the plot and return its row for summary.json. limit: (x, words), where something ends, such as capacity."""
    with figure(1, 4.0) as (made, (axis,)):
        for line, style, colour in zip(predicted, LINES, LINE_COLOURS, strict=False):
            axis.plot(line.x, line.value, style, color=colour, label=line.label)
            if line.low is not None and line.high is not None:
                axis.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        kinds = dict.fromkeys(point.kind for point in measured)
        for kind, (marker, colour) in zip(kinds, POINTS, strict=False):
            _draw_points(axis, [point for point in measured if point.kind == kind], marker, colour)
        axis.set(xlabel=x_label, ylabel=y_label, title=title)
        if log_y:
            plain_log(axis)
        else:
            axis.set_ylim(0, None)
        if limit:
            axis.axvline(limit[0], color=GREY, linestyle=(0, (1, 1)), linewidth=1.2)
            axis.annotate(
                limit[1], (limit[0], 0.02), xycoords=("data", "axes fraction"), xytext=(-4, 2), rotation=90,
                textcoords="offset points", ha="right", va="bottom", color=GREY, fontsize=9,
            )  # fmt: skip
        _whole_numbers(axis, measured)
        axis.legend(loc="best")
        return save(made, folder, name, title, caption)


def _draw_points(axis: "Axes", points: Sequence[Measured], marker: str, colour: str) -> None:
    """Points of one kind, with bars where there is an interval; a bar that is not there is nan, and not drawn."""
    ends = [[p.value - p.low for p in points], [p.high - p.value for p in points]]
    sure = any(math.isfinite(p.low) for p in points)
    words = WORDS.get(points[0].kind, points[0].kind)
    axis.errorbar(
        [p.x for p in points], [p.value for p in points], yerr=ends, fmt=marker, color=colour, capsize=3,
        label=words + " (95 % interval)" * sure, markersize=6.5, markeredgecolor="white", markeredgewidth=0.7,
        linewidth=1.3, zorder=4,
    )  # fmt: skip


def _whole_numbers(axis: "Axes", measured: Sequence[Measured]) -> None:
    """Replicas and threads are counted: a tick at each."""
    xs = sorted({point.x for point in measured})
    if xs and len(xs) <= 10 and all(float(x).is_integer() and x <= 16 for x in xs):
        axis.set_xticks(xs)
