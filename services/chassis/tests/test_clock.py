from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import Age, SharedClock
from chassis.database import Database
from chassis.testing_postgres import postgres_database

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self, at=0.0):
        self.at = at

    def __call__(self):
        return self.at


def test_a_shared_clock_is_asked_once_a_minute_and_counted_on_between():
    ours, asked = Hands(), []
    clock = SharedClock(lambda: asked.append(ours.at) or NOON + timedelta(seconds=ours.at), ours)
    assert clock.now() == NOON
    ours.at = 59
    assert clock.now() == NOON + timedelta(seconds=59)
    ours.at = 61
    assert clock.now() == NOON + timedelta(seconds=61)
    assert asked == [0, 61]


def test_a_stamp_is_as_old_as_it_is_older_than_the_youngest_of_late():
    wall, monotonic = Hands(1_000_000), Hands()
    age = Age(wall, monotonic)
    for difference in (-30, 0, 30):  # theirs is ahead, right, behind
        monotonic.at += 100  # what was before is forgotten
        age.of(wall.at - difference)
        monotonic.at += 40
        assert age.of(wall.at - difference - 0.1) == pytest.approx(0.1)
        assert age.of(wall.at - difference - 7) == pytest.approx(7)


def test_a_stamp_that_is_no_time_says_nothing_and_spoils_nothing():
    age = Age(Hands(1_000_000), Hands())
    age.of(1_000_000)
    for stamp in (float("nan"), float("inf"), float("-inf"), 2.0**70, 0.0):
        assert age.of(stamp) == 0
    assert age.of(999_995) == 5


def test_replicas_on_postgresql_go_by_its_clock_and_not_by_their_own(postgres, monkeypatch):
    with postgres_database(postgres) as url:
        right, wrong = Database(url), Database(url)
        now = right.now()
        monkeypatch.setattr("chassis.database.utc_now", lambda: NOON)
        assert abs(wrong.now() - now) < timedelta(seconds=5)
        for database in (right, wrong):
            database.engine.dispose()
