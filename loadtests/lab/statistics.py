"""What a set of measured numbers says, and how sure one can be of it. Pure functions over plain sequences of numbers.

Units are those of what is given; seeds make the random ones repeatable.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
BEYOND = 5  # how many samples must lie beyond a percentile before it is shown
PERCENTILES = (0.5, 0.95, 0.99)
LAST_MEANS = 5  # of a run, that MSER-5 does not cut at


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval; low and high are nan where there is too little to tell."""

    value: float
    low: float
    high: float
    n: int


def percentile(values: ArrayLike, share: float) -> float:
    """The smallest value that at least this share (0 to 1) of all do not exceed; nan without values.

    The nearest rank: always a value that was measured. Definition 1 of Hyndman and Fan, "Sample Quantiles in
    Statistical Packages", 1996.
    """
    array = np.asarray(values, float)
    return float(np.quantile(array, share, method="inverted_cdf")) if array.size else math.nan


def samples_needed(share: float, beyond: int = BEYOND) -> int:
    """How many samples a percentile needs so that `beyond` of them lie beyond it: 500 for p99, 5000 for p99.9.

    With five, the true percentile lies inside the range of the samples (see `percentile_interval`), and one odd
    sample does not decide.
    """
    return math.ceil(round(beyond / min(share, 1 - share), 6))


def shown(values: ArrayLike, share: float, beyond: int = BEYOND) -> float | None:
    """The percentile, or None where there are too few samples to show one."""
    array = np.asarray(values, float)
    return percentile(array, share) if array.size >= samples_needed(share, beyond) else None


def percentile_interval(values: ArrayLike, share: float, confidence: float = CONFIDENCE) -> Interval:
    """A percentile and an interval for it that assumes nothing of the distribution but independent samples.

    How many of n samples lie below the true percentile is binomial (n, share), so two of the ranked samples bound
    it. Source: Hahn and Meeker, Statistical Intervals, 1991, section 5.2.
    """
    from scipy.stats import binom

    ranked, tail = np.sort(np.asarray(values, float)), (1 - confidence) / 2
    n = ranked.size
    if not n:
        return Interval(math.nan, math.nan, math.nan, 0)
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    return Interval(
        percentile(ranked, share),
        float(ranked[low - 1]) if low >= 1 else math.nan,
        float(ranked[high - 1]) if high <= n else math.nan,
        n,
    )


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values, such as one of each repeat, with Student's interval.

    mean -+ t(n - 1) * s / sqrt(n). nan as bounds for fewer than two values.
    """
    from scipy.stats import t

    array = np.asarray(values, float)
    if array.size < 2:
        return Interval(float(array[0]) if array.size else math.nan, math.nan, math.nan, array.size)
    mean = float(array.mean())
    half = float(t.ppf((1 + confidence) / 2, array.size - 1)) * float(array.std(ddof=1)) / math.sqrt(array.size)
    return Interval(mean, mean - half, mean + half, array.size)


def batch_means_interval(values: ArrayLike, batches: int = 20, confidence: float = CONFIDENCE) -> Interval:
    """The mean of one run's values in their order, with an interval that allows for neighbours being alike.

    Requests that wait in the same queue have similar latencies, so n of them say less than n independent ones. The
    means of long batches are nearly independent; Student's interval is taken over these. `n` counts the values.
    Source: Law, Simulation Modeling and Analysis, 5th edition, section 9.5.3. What does not fill the last batch
    counts for the mean alone.
    """
    array = np.asarray(values, float)
    size = array.size // batches
    if size < 2:
        return Interval(float(array.mean()) if array.size else math.nan, math.nan, math.nan, array.size)
    means = array[: size * batches].reshape(batches, size).mean(axis=1)
    of_batches, mean = mean_interval(means, confidence), float(array.mean())
    half = (of_batches.high - of_batches.low) / 2
    return Interval(mean, mean - half, mean + half, array.size)


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    seed: int,
    resamples: int = 2000,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Any statistic of independent values, with the percentile bootstrap's interval.

    The values are drawn with replacement `resamples` times; the interval holds the middle of what the statistic
    was. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    array, rng = np.asarray(values, float), np.random.default_rng(seed)
    if array.size < 2:
        return Interval(float(statistic(array)) if array.size else math.nan, math.nan, math.nan, array.size)
    found = [statistic(array[rng.integers(0, array.size, array.size)]) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Interval(float(statistic(array)), float(low), float(high), array.size)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many of the first values to leave out, and whether the rest is steady."""

    cut: int
    steady: bool


def mser5(values: Sequence[float] | NDArray[np.float64], batch: int = 5) -> WarmUp:
    """Where the warm-up of a run ends: the cut after which the mean is known best.

    The values, in their order, become means of batches of five. Of k batch means, the cut d minimises
    sum over i > d of (z_i - mean of these)^2 / (k - d)^2: leaving out more lowers the spread until too little is
    left. A minimum in the second half means that the run never became steady, or was too short to tell. The last five
    means are no candidates: two that happen to be alike would win.
    Source: White, "An Effective Truncation Heuristic for Bias Reduction in Simulation Output", Simulation 69(6),
    1997; batches of five: White, Cobb and Spratt, Winter Simulation Conference 2000; the last five: Hoad, Robinson and
    Davies, "Automating warm-up length estimation", Journal of the Operational Research Society 61(9), 2010.
    """
    array = np.asarray(values, float)
    count = array.size // batch
    if count < 2 * LAST_MEANS:
        return WarmUp(0, False)
    means = array[: count * batch].reshape(count, batch).mean(axis=1)
    means = means - means.mean()  # the sums of squares below then lose no digits
    left = count - np.arange(count - LAST_MEANS)
    sums, squares = (np.cumsum(x[::-1])[::-1][:-LAST_MEANS] for x in (means, means**2))
    cut = int(np.argmin(np.maximum(squares - sums**2 / left, 0.0) / left**2))
    return WarmUp(cut * batch, cut <= count // 2)
