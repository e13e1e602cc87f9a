"""From claims and figures to a verdict."""

import math
from dataclasses import replace

import pytest

from loadtests.lab.verdict import EXIT_CODES, Check, Prediction, decide

MADE = Prediction("throughput at 8", 80.0, "1/s", "X = N / S", "", {"N": (8, "")}, "a law", "2030-01-01T00:00:00+00:00")
GOOD = Check.of_prediction(MADE, 85.0, 0.1)
WRONG = Check.of_prediction(MADE, 60.0, 0.1)
UNKNOWN = Check.of_bounds("p99", math.nan, None, 10.0, "ms", "")


def test_a_figure_within_the_tolerance_of_the_prediction_passes_and_says_how_far_off_it_is():
    assert (GOOD.passed, GOOD.low, GOOD.high) == (True, 72.0, 88.0)
    assert GOOD.error == pytest.approx(0.0625)
    assert WRONG.passed is False
    assert "-25.0% off; 10% is allowed" in WRONG.why
    assert Check.of_prediction(MADE, math.nan, 0.1).passed is None
    assert Check.of_prediction(MADE, 80.0, 0.1, unsure="too few samples").passed is None


@pytest.mark.parametrize(
    ("low", "high", "passed"),
    [(None, 10.0, True), (5.0, None, True), (8.0, None, False), (None, 6.9, False), (7.0, 7.0, True)],
)
def test_a_bound_is_kept_or_not(low, high, passed):
    assert Check.of_bounds("failed", 7.0, low, high, "", "").passed is passed


def test_the_exit_code_is_that_of_the_verdict():
    assert EXIT_CODES == {"pass": 0, "fail": 1, "inconclusive": 3}


def test_all_checks_passed_is_pass_and_one_that_did_not_is_fail():
    assert decide([GOOD], [], None)[0] == "pass"
    verdict, why = decide([GOOD, WRONG], [], None)
    assert verdict == "fail"
    assert "throughput at 8" in why


def test_nothing_checked_and_nothing_known_are_inconclusive():
    assert decide([], [], None)[0] == "inconclusive"
    assert decide([GOOD, UNKNOWN], [], None)[0] == "inconclusive"
    assert decide([WRONG, UNKNOWN], [], None)[0] == "fail"


def test_a_bound_that_was_predicted_is_judged_and_what_is_only_shown_is_not():
    bound = replace(UNKNOWN, predicted=10.0)  # as `failing.at_most` makes it: what it waited for never came
    assert decide([GOOD, bound], [], None)[0] == "inconclusive"
    assert decide([GOOD, Check.of_interest(MADE, math.nan, "to compare")], [], None)[0] == "pass"


@pytest.mark.parametrize("checks", [[GOOD], [WRONG]])
def test_where_the_generator_was_the_limit_no_figure_counts(checks):
    verdict, why = decide(checks, [("8 replicas", "generator")], None)
    assert verdict == "inconclusive"
    assert "the generator in '8 replicas'" in why


def test_a_broken_promise_counts_whoever_was_the_limit():
    assert decide([GOOD], [("a", "host")], {"clean": False, "findings": ["order 1 is lost"]})[0] == "fail"
    assert decide([GOOD], [], {"clean": None, "findings": ["orders is away"]})[0] == "inconclusive"
    assert decide([GOOD], [], {"clean": True, "findings": []})[0] == "pass"
