"""A run second by second: rates, errors and percentiles over time, for plots and for `recovery`.

Requests count in the second in which they were due, answers in the one in which they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loadtests.lab.columns import Columns
from loadtests.lab.statistics import PERCENTILES, percentile

Floats = NDArray[np.float64]


def edges(begin_s: float, end_s: float, width_s: float = 1.0) -> Floats:
    """Where the bins of this width begin, and where the last one ends. What would not fill a bin is left out."""
    count = max(1, int((end_s - begin_s) / width_s + 1e-9))
    return begin_s + width_s * np.arange(count + 1)


def per_second(times_s: ArrayLike, bins: Floats) -> Floats:
    """How many a second, in each bin."""
    return np.histogram(np.asarray(times_s, float), bins)[0] / np.diff(bins)


def percentiles_over_time(
    times_s: ArrayLike, values: ArrayLike, bins: Floats, shares: Sequence[float] = PERCENTILES
) -> Floats:
    """shape (shares, bins): the percentile of the values in each bin; nan where a bin is empty."""
    times, found = np.asarray(times_s, float), np.asarray(values, float)
    order = np.argsort(times, kind="stable")
    cuts = np.searchsorted(times[order], bins)
    parts = [found[order][low:high] for low, high in pairwise(cuts)]
    return np.array([[percentile(part, share) for part in parts] for share in shares])


@dataclass(frozen=True)
class Timeline:
    """bins: edges in s, one more than there are bins. Rates per second. percentiles_ms: share -> one for each bin."""

    bins: Floats
    offered: Floats
    good: Floats
    failed: Floats
    percentiles_ms: dict[float, Floats]

    @property
    def middles(self) -> Floats:
        return (self.bins[:-1] + self.bins[1:]) / 2


def timeline(samples: Columns, bins: Floats, shares: Sequence[float] = PERCENTILES) -> Timeline:
    """offered: due; good: answered well; failed: due in the bin, and never answered well. Percentiles of the good."""
    good = samples.where(samples.ok)
    found = percentiles_over_time(good.scheduled_s, good.latency_ms, bins, shares)
    return Timeline(
        bins,
        per_second(samples.scheduled_s, bins),
        per_second(good.ended_s, bins),
        per_second(samples.scheduled_s[~samples.ok], bins),
        dict(zip(shares, found, strict=True)),
    )


def by_instance(samples: Columns, bins: Floats, service: str | None = None) -> dict[str, Floats]:
    """instance -> good answers a second in each bin, in the order of their first answer; of one service or all."""
    good = samples.where(samples.ok & (samples.instance != ""))
    if service:
        good = good.where(np.char.startswith(good.instance, f"{service}-"))
    firsts = {name: good.ended_s[good.instance == name].min() for name in np.unique(good.instance)}
    ranked = sorted(firsts, key=lambda name: (round(firsts[name]), name))
    return {str(name): per_second(good.ended_s[good.instance == name], bins) for name in ranked}


def readable_width(samples: Columns, span_s: float, per_bin: int = 100) -> float:
    """The narrowest of 1, 2 and 5 s whose bins hold `per_bin` samples on average: with 100, a p99 is no maximum."""
    rate = len(samples) / span_s if span_s > 0 else 0.0
    return next((width for width in (1.0, 2.0) if rate * width >= per_bin), 5.0)
