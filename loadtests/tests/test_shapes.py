"""Rates over time."""

import math

import pytest

from loadtests.arrivals import arrivals
from loadtests.shapes import Profile, constant, parse_profile, ramp, spike, step


def test_a_rate_goes_in_straight_lines_and_stays_as_it_was_last():
    profile = ramp(10, 30, over_s=20)
    assert [profile.rate(t) for t in (0, 5, 10, 20, 99)] == [10, 15, 20, 30, 30]
    assert [step(10, 50, 30).rate(t) for t in (0, 29.9, 30, 31)] == [10, 10, 50, 50]
    assert [spike(10, 50, 30, 5).rate(t) for t in (29, 30, 34.9, 35, 60)] == [10, 50, 50, 10, 10]


@pytest.mark.parametrize(
    "profile", [constant(7), ramp(0, 30, 20), ramp(30, 2, 20), step(10, 50, 3), spike(5, 80, 2, 3)]
)
def test_the_time_of_an_arrival_is_when_the_area_under_the_rate_has_grown_to_its_number(profile):
    steps = 20_000
    for count in (1, 17.5, 100):
        until = profile.when(count)
        middles = ((n + 0.5) * until / steps for n in range(steps))
        assert sum(profile.rate(t) for t in middles) * until / steps == pytest.approx(count, rel=1e-3)


def test_a_rate_that_falls_to_nothing_ends_the_arrivals():
    profile = ramp(20, 0, over_s=10)
    assert profile.when(100) == pytest.approx(10)
    assert profile.when(100.5) == math.inf
    assert len(list(arrivals(profile, {"page": 1}, seed=1, kind="constant"))) == 100


def test_after_a_spike_as_many_come_as_before():
    times = [
        t
        for t, _ in zip((at for at, _ in arrivals(spike(10, 100, 20, 10), {"a": 1}, seed=3)), range(1500), strict=False)
    ]
    counts = [sum(low <= t < low + 10 for t in times) for low in (10, 20, 30)]
    assert counts[1] == pytest.approx(1000, rel=0.1)
    assert counts[0] == pytest.approx(100, rel=0.35)
    assert counts[2] == pytest.approx(100, rel=0.35)


def test_a_profile_is_read_as_it_is_written_and_a_wrong_one_refused():
    for profile in (constant(40), spike(10, 50, 30, 5), ramp(1, 2.5, 8)):
        assert parse_profile(str(profile)) == profile
    assert parse_profile("40") == constant(40)
    for wrong in ("", "x", "5:1", "0:1,3:-1", "0:1,9:2,4:3", "0:inf", "nan"):
        with pytest.raises(ValueError):
            parse_profile(wrong)
    with pytest.raises(ValueError):
        Profile(())
