import itertools
import statistics

import pytest

from loadtests.arrivals import arrivals, parse_mix


def first(count, *args, **options):
    return list(itertools.islice(arrivals(*args, **options), count))


def test_the_same_seed_makes_the_same_load_and_another_seed_another():
    assert first(50, 10, {"a": 1, "b": 2}, seed=1) == first(50, 10, {"a": 1, "b": 2}, seed=1)
    assert first(50, 10, {"a": 1, "b": 2}, seed=1) != first(50, 10, {"a": 1, "b": 2}, seed=2)


def test_constant_arrivals_are_evenly_apart():
    assert [at for at, _ in first(3, 4, {"a": 1}, seed=1, kind="constant")] == [0.25, 0.5, 0.75]


def test_poisson_arrivals_have_the_mean_and_the_spread_of_an_exponential():
    times = [at for at, _ in first(20_000, 50, {"a": 1}, seed=7)]
    gaps = [later - earlier for earlier, later in itertools.pairwise([0.0, *times])]
    assert statistics.mean(gaps) == pytest.approx(1 / 50, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(1 / 50, rel=0.05)


def test_steps_come_as_often_as_they_weigh():
    steps = [step for _, step in first(10_000, 1, {"a": 3, "b": 1}, seed=3)]
    assert steps.count("a") / len(steps) == pytest.approx(0.75, abs=0.02)


def test_a_mix_is_read_and_a_wrong_one_refused():
    assert parse_mix("page=6,order=0.5") == {"page": 6.0, "order": 0.5}
    for wrong in ("page", "page=", "page=0", "page=-1"):
        with pytest.raises(ValueError):
            parse_mix(wrong)
