"""Whether load was spread as a strategy promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.lab.spread import check_spread, promised_shares

EQUAL = {"a": 0.5, "b": 0.5}


def test_the_statistic_is_pearsons():
    found = check_spread({"a": 44, "b": 56}, EQUAL)
    assert found.chi_square == pytest.approx(1.44)
    assert found.p_value == pytest.approx(0.2301, abs=1e-4)
    assert found.off == pytest.approx(0.12)
    assert found.passed


def test_a_replica_that_gets_nothing_fails():
    assert check_spread({"a": 100}, EQUAL).passed is False


def test_a_difference_that_only_a_huge_sample_finds_passes():
    found = check_spread({"a": 505_000, "b": 495_000}, EQUAL)
    assert found.p_value < 1e-6
    assert found.passed


def test_too_few_requests_tell_nothing():
    assert check_spread({"a": 3, "b": 4}, EQUAL).passed is None
    assert check_spread({"a": 300}, {"a": 1.0}).passed is None


def test_a_stranger_is_named():
    with pytest.raises(ValueError, match="to c"):
        check_spread({"c": 1}, EQUAL)


def test_weights_count_where_the_strategy_follows_them():
    weights = {"a": 3.0, "b": 1.0}
    assert promised_shares("weighted", ["a", "b"], weights) == {"a": 0.75, "b": 0.25}
    assert promised_shares("random", ["a", "b"], weights) == EQUAL
    assert promised_shares("ip_hash", ["a", "b"]) is None


@given(st.lists(st.integers(5, 10_000), min_size=2, max_size=9))
def test_what_is_spread_exactly_as_promised_always_passes(counts):
    names = [f"i{number}" for number in range(len(counts))]
    weights = dict(zip(names, map(float, counts), strict=True))
    shares = promised_shares("weighted", names, weights)
    assert shares is not None
    assert sum(shares.values()) == pytest.approx(1)
    assert check_spread(dict(zip(names, counts, strict=True)), shares).p_value > 0.99
