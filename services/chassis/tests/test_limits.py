"""How fast one user may ask."""

import pytest
from flask import Flask

from chassis.errors import TooManyRequests
from chassis.limits import SubjectLimits


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def taken(limits, subject, most=100):
    """How many requests are let through at once."""
    for count in range(most):
        try:
            limits.take(subject)
        except TooManyRequests:
            return count
    return most


def test_a_burst_of_twice_the_rate_is_let_through_and_then_the_rate(clock):
    limits = SubjectLimits(5, True, clock)
    assert taken(limits, "ada") == 10
    clock.now += 1
    assert taken(limits, "ada") == 5


def test_subjects_do_not_share_a_limit(clock):
    limits = SubjectLimits(1, True, clock)
    assert (taken(limits, "ada"), taken(limits, "bob")) == (2, 2)


def test_a_long_rest_saves_no_more_than_one_burst(clock):
    limits = SubjectLimits(1, True, clock)
    taken(limits, "ada")
    clock.now += 3600
    assert taken(limits, "ada") == 2


def test_coming_again_when_told_to_is_let_through(clock):
    limits = SubjectLimits(0.5, True, clock)
    taken(limits, "ada")
    with pytest.raises(TooManyRequests) as refused:
        limits.take("ada")
    clock.now += refused.value.retry_after
    limits.take("ada")


def test_a_refused_request_does_not_make_it_worse(clock):
    limits = SubjectLimits(1, True, clock)
    taken(limits, "ada")
    for _ in range(50):
        with pytest.raises(TooManyRequests):
            limits.take("ada")
    clock.now += 1
    limits.take("ada")


@pytest.mark.parametrize("per_second", [0.001, 0.4])
def test_a_rate_below_one_in_two_seconds_lets_the_first_through(clock, per_second):
    assert taken(SubjectLimits(per_second, True, clock), "ada") == 1


def test_zero_is_no_limit(clock):
    assert taken(SubjectLimits(0, True, clock), "ada", most=1000) == 1000


def test_a_burst_can_be_given(clock):
    assert taken(SubjectLimits(0.1, True, clock, burst=7), "ada") == 7


def test_what_is_given_back_does_not_count(clock):
    limits = SubjectLimits(0.1, True, clock, burst=2)
    for _ in range(5):
        limits.take("ada")
        limits.give_back("ada")
    assert taken(limits, "ada") == 2
    limits.give_back("ada")
    assert taken(limits, "ada") == 1


def test_giving_back_makes_no_more_than_one_burst(clock):
    limits = SubjectLimits(0.1, True, clock, burst=2)
    for _ in range(5):
        limits.give_back("ada")
    assert taken(limits, "ada") == 2


def test_only_so_many_subjects_are_remembered(clock):
    limits = SubjectLimits(1, True, clock)
    limits.REMEMBERED = 10
    for number in range(100):
        limits.take(f"user-{number}")
    assert len(limits._buckets) == 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "limited"),
    [
        ("127.0.0.1", None, False), ("::1", None, False), ("203.0.113.9", None, True),
        ("127.0.0.1", "203.0.113.9", True), ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1, 203.0.113.9", True), ("127.0.0.1", "garbage", True),
    ],
)  # fmt: skip
def test_clients_on_loopback_are_not_limited_unless_asked(clock, peer, forwarded, limited):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": peer}, headers=headers):
        assert taken(SubjectLimits(1, False, clock), "ada") == (2 if limited else 100)
        assert taken(SubjectLimits(1, True, clock), "ada") == 2
