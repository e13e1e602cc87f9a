"""The Universal Scalability Law fitted to what was measured, with how sure one may be of it.

Least squares on X(n) with l > 0, s >= 0, k >= 0. Intervals are those of the linearised model with Student's t:
theta_j ± t se_j, and X(n) ± t sqrt(v(n) + g' V g) for one more measurement, v(n) variance of one measurement,
g = dX/dtheta, V covariance of theta.

Source: Seber and Wild, "Nonlinear Regression", 1989, sections 2.1 and 5.1; Gunther, "Guerrilla Capacity Planning",
2007, chapter 5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.stats import t as student

from loadtests.model.checks import inside, positive
from loadtests.model.scaling import peak, usl

PARAMETERS = ("one", "contention", "coherency")


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, with the value in between that is most likely."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class UslFit:
    """What `fit_usl` found: one (1/s), contention and coherency, and the covariance of these three.

    errors: see `fit_usl`. spread: standard deviation of the measurements about the curve, in 1/s where errors are
    constant, as a share of the curve where they are relative. freedom: measurements less parameters.
    """

    one: float
    contention: float
    coherency: float
    covariance: tuple[tuple[float, ...], ...]
    spread: float
    freedom: int
    errors: Literal["relative", "constant"]

    def value(self, n: float) -> float:
        """X(n) (1/s)."""
        return usl(n, self.one, self.contention, self.coherency)

    @property
    def peak(self) -> float:
        """The n with the greatest throughput; infinite without coherency."""
        return peak(self.contention, self.coherency)

    def interval(self, parameter: str, level: float = 0.95) -> Interval:
        """Confidence interval of "one" (1/s), "contention" or "coherency", cut off at 0.

        Raises ValueError for another name.
        """
        inside(level=level)
        if parameter not in PARAMETERS:
            raise ValueError(f"a parameter is one of {', '.join(PARAMETERS)}, not {parameter!r}")
        place, value = PARAMETERS.index(parameter), getattr(self, parameter)
        half = self._times(level) * math.sqrt(self.covariance[place][place])
        return Interval(max(0.0, value - half), value, value + half)

    def prediction(self, n: float, level: float = 0.95, runs: int = 1) -> Interval:
        """Where the mean of this many further runs with n replicas will lie (1/s), cut off at 0. Raises ValueError.

        It says what chance would do if the law holds. Beyond the n that were measured nothing says that it does.
        """
        inside(level=level)
        positive(runs=runs)
        slope = _slopes(np.array([n]), self._theta())[0]
        own = self.spread * (self.value(n) if self.errors == "relative" else 1)
        variance = own**2 / runs + slope @ np.array(self.covariance) @ slope
        half = self._times(level) * math.sqrt(variance)
        return Interval(max(0.0, self.value(n) - half), self.value(n), self.value(n) + half)

    def _theta(self) -> np.ndarray:
        return np.array([self.one, self.contention, self.coherency])

    def _times(self, level: float) -> float:
        return float(student.ppf((1 + level) / 2, self.freedom))


def fit_usl(
    replicas: Sequence[float], throughputs: Sequence[float], errors: Literal["relative", "constant"] = "relative"
) -> UslFit:
    """Fit USL to pairs (n, X(n) in 1/s); an n that was measured several times comes several times.

    errors: "relative", measurements of a throughput differ by a share of it; "constant", by as much at each n, which
    is what a plain least-squares fit takes for granted.

    Raises ValueError: lengths that differ, anything not finite, n below 1, a throughput of 0 or less, fewer than 3
    different n (three parameters), fewer than 4 pairs (nothing would be left to tell the spread from).
    """
    n, x = _checked(replicas, throughputs)
    if errors not in ("relative", "constant"):
        raise ValueError(f"errors are relative or constant, not {errors!r}")
    weight = 1 / x if errors == "relative" else np.ones_like(x)
    solution = least_squares(
        lambda theta: weight * (_values(n, theta) - x),
        _first_guess(n, x),
        jac=lambda theta: weight[:, None] * _slopes(n, theta),
        bounds=([1e-12 * x.max(), 0, 0], np.inf),
        x_scale=[x.max() / n.max(), 0.1, 0.01],
        xtol=1e-14, ftol=1e-14, gtol=1e-14,
    )  # fmt: skip
    slopes, freedom = weight[:, None] * _slopes(n, solution.x), len(n) - len(PARAMETERS)
    spread = math.sqrt(float(solution.fun @ solution.fun) / freedom)
    covariance = spread**2 * np.linalg.pinv(slopes.T @ slopes)
    one, contention, coherency = (float(value) for value in solution.x)
    rows = tuple(tuple(float(value) for value in row) for row in covariance)
    return UslFit(one, contention, coherency, rows, spread, freedom, errors)


def _checked(replicas: Sequence[float], throughputs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    if len(replicas) != len(throughputs):
        raise ValueError(f"each n needs its throughput: there are {len(replicas)} and {len(throughputs)}")
    try:
        n, x = np.asarray(replicas, dtype=float), np.asarray(throughputs, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"replicas and throughputs must be numbers: {error}") from error
    if not (np.isfinite(n).all() and np.isfinite(x).all()):
        raise ValueError("replicas and throughputs must be finite")
    if (n < 1).any() or (x <= 0).any():
        raise ValueError("replicas must be 1 or more and throughputs above 0")
    if len(np.unique(n)) < len(PARAMETERS) or len(n) <= len(PARAMETERS):
        raise ValueError(
            f"three parameters need at least 3 different n and 4 measurements, not {len(np.unique(n))} and {len(n)}"
        )
    return n, x


def _first_guess(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    """n/X(n) is linear in (1, n - 1, n (n - 1)), so non-negative linear least squares gives a start that is near."""
    terms = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1)
    base, serial, pairs = nnls(terms * (x / n)[:, None], np.ones_like(n))[0]
    base = max(base, 1e-9 * float((n / x).max()))
    return np.array([1 / base, max(serial / base, 1e-9), max(pairs / base, 1e-9)])


def _values(n: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return theta[0] * n / (1 + theta[1] * (n - 1) + theta[2] * n * (n - 1))


def _slopes(n: np.ndarray, theta: np.ndarray) -> np.ndarray:
    below = 1 + theta[1] * (n - 1) + theta[2] * n * (n - 1)
    steep = -theta[0] * n / below**2
    return np.stack([n / below, steep * (n - 1), steep * n * (n - 1)], axis=1)
