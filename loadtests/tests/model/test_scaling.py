import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from loadtests.model import scaling
from loadtests.model.fitting import fit_usl
from loadtests.tests.model.steady import steady

# SPEC SDM91 on a SPARCcenter 2000 (Gunther 2007, chapter 5): users, scripts an hour.
SDM91 = ([1, 18, 36, 72, 108, 144, 216], [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2])
ONE_TO_FOUR = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


def measured(replicas, one, contention, coherency, noise=0.0, seed=1, errors="relative"):
    """Throughputs of the law, disturbed by a share `noise` of themselves, or of ten times the first."""
    rng, curve = random.Random(seed), [scaling.usl(n, one, contention, coherency) for n in replicas]
    scale = curve if errors == "relative" else [10 * one] * len(curve)
    return [value + noise * size * rng.gauss(0, 1) for value, size in zip(curve, scale, strict=True)]


def test_amdahl_of_the_textbooks():
    assert scaling.amdahl(10, 0.05) == pytest.approx(1 / 0.145)
    assert scaling.amdahl(1e9, 0.05) == pytest.approx(20)
    assert scaling.gustafson(10, 0.05) == pytest.approx(9.55)
    assert scaling.serial_share(10, scaling.amdahl(10, 0.05)) == pytest.approx(0.05)


def test_usl_without_coherency_is_amdahl():
    assert scaling.usl(8, 100, 0.1, 0) == pytest.approx(100 * scaling.amdahl(8, 0.1))
    assert scaling.peak(0.1, 0) == math.inf
    assert scaling.peak(1, 0) == 1
    assert scaling.peak(0.02, 0.98) == 1


def test_the_fit_of_the_sparccenter_is_that_of_the_r_package_usl():
    fit = fit_usl(*SDM91, errors="constant")
    assert (fit.one, fit.contention, fit.coherency) == pytest.approx((89.9952330, 0.0277285, 0.0001044), rel=1e-3)
    errors = [math.sqrt(fit.covariance[i][i]) for i in range(3)]
    assert errors == pytest.approx([14.2134894, 0.0091217, 0.0000199], rel=5e-3)
    assert fit.peak == pytest.approx(96.5, abs=0.1)


@steady
@given(st.floats(1, 1e5), st.floats(0, 0.5), st.floats(0, 0.05))
def test_exact_data_give_their_parameters_back(one, contention, coherency):
    fit = fit_usl([1, 2, 3, 4, 6, 8], measured([1, 2, 3, 4, 6, 8], one, contention, coherency))
    assert fit.one == pytest.approx(one, rel=1e-4)
    assert fit.contention == pytest.approx(contention, abs=1e-4)
    assert fit.coherency == pytest.approx(coherency, abs=1e-4)


@pytest.mark.parametrize("errors", ["relative", "constant"])
def test_intervals_hold_what_they_promise(errors):
    """95 % intervals from 300 noisy data sets contain the truth in 90 to 99.5 % of them (fixed seeds, so no chance)."""
    truth, replicas, sets = {"one": 40, "contention": 0.03, "coherency": 0.002}, [1, 2, 4, 8, 12, 16, 24, 32], 300
    held = dict.fromkeys([*truth, "prediction"], 0)
    for seed in range(sets):
        fit = fit_usl(replicas, measured(replicas, **truth, noise=0.02, seed=seed, errors=errors), errors)
        next_time = measured([20], **truth, noise=0.02, seed=10_000 + seed, errors=errors)[0]
        for name, value in truth.items():
            held[name] += fit.interval(name).low <= value <= fit.interval(name).high
        held["prediction"] += fit.prediction(20).low <= next_time <= fit.prediction(20).high
    assert all(0.9 <= count / sets <= 0.995 for count in held.values()), held


def test_beyond_the_measurements_the_interval_widens():
    fit = fit_usl(ONE_TO_FOUR, measured(ONE_TO_FOUR, 9.5, 0.02, 0.001, noise=0.02))
    near, far = fit.prediction(3), fit.prediction(8)
    assert far.high - far.low > 2 * (near.high - near.low)
    assert far.low < scaling.usl(8, 9.5, 0.02, 0.001) < far.high
    assert near.low < near.value < near.high


@pytest.mark.parametrize("errors", ["relative", "constant"])
def test_the_covariance_is_that_of_slopes_by_small_steps(errors):
    replicas = [1, 2, 3, 4, 6]
    x = np.array(measured(replicas, 9.5, 0.05, 0.004, noise=0.02))
    fit = fit_usl(replicas, x, errors)
    theta = np.array([fit.one, fit.contention, fit.coherency])

    def curve(values, at=tuple(replicas)):
        return np.array([scaling.usl(n, *values) for n in at])

    steps = np.diag(theta * 1e-5)
    weight = 1 / x if errors == "relative" else np.ones_like(x)
    slopes = np.stack([weight * (curve(theta + s) - curve(theta - s)) / (2 * s.sum()) for s in steps], axis=1)
    spread = np.sqrt(np.sum((weight * (curve(theta) - x)) ** 2) / (len(x) - 3))
    covariance = spread**2 * np.linalg.inv(slopes.T @ slopes)
    assert np.array(fit.covariance) == pytest.approx(covariance, rel=1e-3)

    at_8 = np.array([(curve(theta + s, (8,)) - curve(theta - s, (8,)))[0] / (2 * s.sum()) for s in steps])
    own = spread * (fit.value(8) if errors == "relative" else 1)
    half = student.ppf(0.975, 2) * np.sqrt(own**2 / 3 + at_8 @ covariance @ at_8)
    assert fit.prediction(8, runs=3).high - fit.value(8) == pytest.approx(half, rel=1e-3)


def test_perfectly_parallel_data_end_at_the_edge_and_do_not_peak():
    fit = fit_usl(ONE_TO_FOUR, [9.5 * n for n in ONE_TO_FOUR])
    assert fit.contention == pytest.approx(0, abs=1e-6)
    assert fit.value(8) == pytest.approx(76, rel=1e-4)
    assert fit.peak > 100


def test_throughput_that_falls_from_the_start_is_fitted_too():
    fit = fit_usl([1, 2, 3, 4, 8], [100, 80, 60, 50, 25])
    assert fit.peak < 2
    assert fit.value(8) == pytest.approx(25, rel=0.2)


@steady
@given(st.floats(0.01, 1e4), st.floats(0, 1), st.floats(0, 1), st.integers(1, 1000))
def test_nothing_scales_better_than_linearly_and_the_peak_is_the_greatest(one, contention, coherency, n):
    value = scaling.usl(n, one, contention, coherency)
    assert value <= one * n * (1 + 1e-12)
    top = scaling.peak(contention, coherency)
    if math.isfinite(top):
        assert scaling.usl(max(top, 1), one, contention, coherency) >= value * (1 - 1e-9)


@pytest.mark.parametrize(
    ("replicas", "throughputs", "named"),
    [
        ([1, 2, 3, 4], [1, 2, 3], "4 and 3"),
        ([1, 2, 3], [1, 2, 3], "4 measurements"),
        ([1, 1, 2, 2, 2], [1, 1, 2, 2, 2], "3 different n"),
        ([], [], "4 measurements"),
        ([1, 2, 3, 4], [1, 2, math.nan, 4], "finite"),
        ([1, 2, 3, math.inf], [1, 2, 3, 4], "finite"),
        ([0, 1, 2, 3], [1, 2, 3, 4], "1 or more"),
        ([1, 2, 3, 4], [1, 2, 0, 4], "above 0"),
        ([1, 2, 3, "four"], [1, 2, 3, 4], "must be numbers"),
    ],
)
def test_a_fit_refuses_what_it_cannot_use(replicas, throughputs, named):
    with pytest.raises(ValueError, match=named):
        fit_usl(replicas, throughputs)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: scaling.amdahl(0, 0.1), "n must"),
        (lambda: scaling.amdahl(2, 1.1), "serial"),
        (lambda: scaling.usl(2, 1, -0.1, 0), "contention"),
        (lambda: scaling.serial_share(1, 1), "n must"),
        (lambda: fit_usl(*SDM91).interval("gamma"), "one, contention, coherency"),
        (lambda: fit_usl(*SDM91).prediction(8, level=1), "level"),
        (lambda: fit_usl(*SDM91, errors="none"), "relative or constant"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
