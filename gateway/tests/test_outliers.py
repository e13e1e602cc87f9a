"""Who is left out, and who is not: the rules alone, with a clock of the test's own."""

import pytest

from gateway.attempts import parse
from gateway.outliers import FAILURES, MOST_TIMES, SAMPLES, WINDOW_S, Attempt, Outliers

BASE_S = 10.0


def outliers(*targets, **services):
    found = Outliers(BASE_S)
    found.follow({"shop": targets, **services})
    return found


def read(target, ended_at, seconds=0.01, answered=True):
    return Attempt(target, True, ended_at - seconds, ended_at, answered)


def write(target, ended_at, seconds=0.01, answered=True):
    return Attempt(target, False, ended_at - seconds, ended_at, answered)


def note(found, *attempts):
    for attempt in attempts:
        found.note(attempt)


def fail(found, target, at, kind=read, times=FAILURES):
    note(found, *(kind(target, at, 0.7, answered=False) for _ in range(times)))


def test_three_attempts_in_a_row_without_an_answer_while_a_peer_answers_are_enough():
    found = outliers("a", "b", "c")
    note(found, read("b", 99.5))
    fail(found, "a", 100, times=FAILURES - 1)
    assert found.judge(100) == {}
    fail(found, "a", 100, times=1)
    assert list(found.judge(100)) == ["a"]
    assert found.ejected(100) == {"a"}


def test_an_answer_in_between_begins_the_count_anew():
    found = outliers("a", "b", "c")
    note(found, read("b", 99.5))
    fail(found, "a", 100, times=2)
    note(found, read("a", 100))
    fail(found, "a", 100, times=2)
    assert found.judge(100) == {}


def test_when_nobody_answers_or_only_before_and_after_nobody_is_to_blame():
    found = outliers("a", "b", "c")
    note(found, read("b", 99.2), read("c", 100.2))
    for target in "abc":
        fail(found, target, 100)
    assert found.judge(101) == {}


def test_a_lock_that_stops_all_writes_and_no_read_leaves_nobody_out():
    found = outliers("a", "b", "c")
    for at in range(100, 105):
        for target in "abc":
            note(found, read(target, at))
            fail(found, target, at, write)
    assert found.judge(105) == {}


def test_a_replica_that_hangs_while_it_holds_that_lock_is_left_out():
    found = outliers("a", "b", "c")
    for at in range(100, 105):
        for target in "bc":
            note(found, read(target, at))
            fail(found, target, at, write)
        fail(found, "a", at)
    assert list(found.judge(105)) == ["a"]


@pytest.mark.parametrize(
    ("mine", "theirs", "out"),
    [
        (0.5, 0.01, True),
        (0.09, 0.001, False),
        (0.5, 0.3, False),
        (0.7, 0.2, True),
        (1.5, 0.3, False),
        (0.01, 0.5, False),
    ],
)
def test_one_whose_reads_are_far_slower_than_elsewhere_is_left_out(mine, theirs, out):
    found = outliers("a", "b", "c")
    for _ in range(SAMPLES):
        note(found, read("a", 100, mine), read("b", 100, theirs), read("c", 100, theirs))
    assert list(found.judge(100)) == (["a"] if out else [])


def test_few_or_old_reads_say_nothing():
    found = outliers("a", "b", "c")
    for target, seconds in (("a", 0.5), ("b", 0.01), ("c", 0.01)):
        note(found, *(read(target, 100, seconds) for _ in range(SAMPLES - (target == "a"))))
    assert found.judge(100) == {}
    note(found, read("a", 101, 0.5))
    assert found.judge(101 + WINDOW_S) == {}
    assert list(found.judge(101)) == ["a"]


def test_slow_writes_are_no_reason():
    found = outliers("a", "b")
    for _ in range(SAMPLES):
        note(found, write("a", 100, 3), write("b", 100))
    assert found.judge(100) == {}


@pytest.mark.parametrize(("instances", "most"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_more_than_half_stay(instances, most):
    """All but one hang, each service for itself."""
    targets = [str(number) for number in range(instances)]
    found = outliers(*targets, other=["x", "y"])
    note(found, read("x", 99.5), read(targets[0], 99.5))
    for target in (*targets[1:], "y"):
        fail(found, target, 100)
    found.judge(100)
    assert found.ejected(100) >= {"y"}
    assert len(found.ejected(100)) == most + 1


def test_under_overload_nobody_is_left_out():
    """Each answers some in time and others not."""
    found = outliers("a", "b", "c")
    for number in range(200):
        at = 100 + number / 20
        for target in "abc":
            note(found, read(target, at, 0.6), *(read(target, at, 0.7, answered=False) for _ in range(FAILURES)))
        assert found.judge(at) == {}


def test_an_ejection_ends_and_lasts_longer_when_it_comes_again_at_once():
    found = outliers("a", "b")
    at = 100.0
    for times in [1, 2, 3, *range(4, MOST_TIMES + 1), MOST_TIMES]:
        note(found, read("b", at - 0.5))
        fail(found, "a", at)
        assert list(found.judge(at)) == ["a"]
        assert found.judge(at + 1) == {}
        assert found.ejected(at + BASE_S * times - 0.1) == {"a"}
        at += BASE_S * times
        assert found.ejected(at) == set()
        assert found.judge(at) == {}, "what was before is forgotten"
    at += BASE_S * MOST_TIMES + 1  # well for as long as it was out
    note(found, read("b", at - 0.5))
    fail(found, "a", at)
    found.judge(at)
    assert found.ejected(at + BASE_S) == set()


def test_who_has_left_is_forgotten_and_strangers_do_not_count():
    found = outliers("a", "b")
    note(found, read("b", 99.5), read("stranger", 99.5))
    fail(found, "stranger", 100)
    fail(found, "a", 100)
    assert list(found.judge(100)) == ["a"]
    found.follow({"shop": ["b", "c"]})
    assert found.ejected(100) == set()
    found.follow({"shop": ["a", "b"]})
    assert found.ejected(100) == set()


def test_the_attempts_of_one_request_follow_each_other():
    line = "<190>Nov 26 17:00:00 souk: GET;10.0.0.1:80, [fd00::2]:80 : 10.0.0.3:80;0.700, 0.700 : 0.100;504, 504 : 200"
    assert parse(line, 100.0) == [
        Attempt("10.0.0.1:80", True, pytest.approx(98.5), pytest.approx(99.2), False),
        Attempt("[fd00::2]:80", True, pytest.approx(99.2), pytest.approx(99.9), False),
        Attempt("10.0.0.3:80", True, pytest.approx(99.9), 100.0, True),
    ]


@pytest.mark.parametrize(("status", "answered"), [(200, True), (503, True), (500, True), (502, False), (504, False)])
def test_which_statuses_are_no_answer(status, answered):
    (attempt,) = parse(f"<190>souk: PUT;1.2.3.4:5;0.100;{status}", 1.0)
    assert (attempt.answered, attempt.read) == (answered, False)


@pytest.mark.parametrize("line", ["", "souk: ", "rubbish", "souk: GET;a;b;c", "souk: GET;1.2.3.4:5;1.2;-", "a;b;c;d"])
def test_what_makes_no_sense_says_nothing(line):
    assert parse(line, 1.0) == []
