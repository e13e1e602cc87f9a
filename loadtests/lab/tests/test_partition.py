"""The backlog of a partition, from what orders has noted of each order."""

import math
from datetime import UTC, datetime

import pytest

from loadtests.experiments.partition import Backlog, backlog_of

MENDED = 1_000.0


def order(begin, end=None, state="CONFIRMED"):
    """Seconds count from the mending."""
    history = [{"state": "PENDING", "at": text(begin)}]
    if end is not None:
        history += [{"state": "RESERVED", "at": text((begin + end) / 2)}, {"state": state, "at": text(end)}]
    return {"state": state if end is not None else "PENDING", "history": history}


def text(second):
    return datetime.fromtimestamp(MENDED + second, UTC).isoformat()


def test_what_waited_at_the_end_is_the_backlog_and_the_last_that_was_late_ends_it():
    before = [order(-20, -19.8), order(-11, -10.9)]
    waited = [order(-10, 1.0), order(-5, 2.0), order(-1, 3.0)]
    behind_them = [order(0.5, 4.0), order(2.0, 5.0)]
    as_usual = [order(5.0, 5.2), order(6.0, 6.1)]
    found = backlog_of([*before, *waited, *behind_them, *as_usual], MENDED)
    assert found == Backlog(orders=3, first_s=pytest.approx(1), last_s=pytest.approx(5), rate=pytest.approx(1),
                            cancelled=0, unended=0)  # fmt: skip


def test_what_never_ended_and_what_was_cancelled_is_counted():
    found = backlog_of([order(-10), order(-9, 1, "CANCELLED"), order(-8, -3, "CANCELLED"), order(3)], MENDED)
    assert (found.orders, found.cancelled, found.unended) == (2, 2, 2)


def test_without_a_backlog_there_is_no_rate():
    found = backlog_of([order(-1, -0.9), order(1, 1.1)], MENDED)
    assert (found.orders, found.last_s) == (0, 0.0)
    assert math.isnan(found.rate)
