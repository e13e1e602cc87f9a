"""How latency is distributed, up to the percentile that the samples allow."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from loadtests.lab.omission import compare_clocks
from loadtests.lab.plots.style import COLOURS, figure, legend_below, plain_log, save
from loadtests.lab.statistics import BEYOND

TICKS = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)
POINTS = 400
LINES = ("-", "-.", ":")  # of the groups that have each colour


def latency_distribution(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]], folder: Path, name: str, title: str, caption: str = ""
) -> dict[str, str]:
    """Write the plot and return its row for summary.json. groups: name -> (latency_ms, response_ms) of good answers.

    Each line ends at the last percentile with enough samples beyond it. Where the clocks differ, the time from the
    sending is drawn too, dashed: what is between the two is what coordinated omission would hide.
    """
    with figure(1, 4.0 + 0.1 * len(groups)) as (made, (axis,)):
        ends, differ = [], False
        for number, (group, (due, sent)) in enumerate(groups.items()):
            latency, response = np.asarray(due, float), np.asarray(sent, float)
            if latency.size < 2 * BEYOND:
                continue
            colour, style = COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)]
            ends.append(_draw(axis, latency, f"{group} (n = {latency.size:,})", colour, style))
            if compare_clocks(latency, response).differ:
                differ = True
                _draw(axis, response, "", colour, "--")
        plain_log(axis)
        last = max(ends, default=0.99)
        ticks = [share for share in TICKS if share <= last + 1e-9]
        axis.set_xticks([_place(share) for share in ticks], [f"{100 * share:g}" for share in ticks])
        axis.set(xlim=(0, _place(last) * 1.02), xlabel="percentile", ylabel="latency, ms", title=title)
        legend_below(made, axis)
        clocks = "Solid: from the scheduled time; dashed: from the sending." if differ else ""
        return save(made, folder, name, title, f"{caption} {clocks}".strip())


def _place(share: float | np.ndarray) -> float | np.ndarray:
    """Where a percentile stands: each further nine is as wide as the one before."""
    return -np.log10(1 - share)


def _draw(axis, values, label: str, colour: str, style: str) -> float:  # type: ignore[no-untyped-def]
    last = 1 - BEYOND / values.size
    shares = 1 - np.logspace(0, np.log10(1 - last), POINTS)
    axis.plot(_place(shares), np.quantile(values, shares, method="inverted_cdf"), style, color=colour, label=label)
    return last
