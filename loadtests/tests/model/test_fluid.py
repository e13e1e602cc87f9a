"""The fluid queue against triangles that can be drawn by hand."""

import math

import pytest

from loadtests.model.fluid import fluid


def test_a_queue_grows_while_more_come_than_go_and_falls_as_fast_as_there_is_room():
    # 20/s meet 10/s for 10 s: 100 wait. Then 30/s can be served: they are gone after 100 / (30 - 20) = 10 s.
    found = fluid(lambda _: 20.0, lambda t: 10.0 if t < 10 else 30.0, 40, bearable_s=0.0)
    assert math.isclose(found.late_s, 20, abs_tol=0.05)
    assert math.isclose(found.longest_wait_s, 100 / 10, rel_tol=0.01)


def test_who_is_patient_for_a_second_leaves_a_second_of_work_behind():
    # The queue is cut at 10; it is gone 10 / (30 - 20) = 1 s after the change.
    found = fluid(lambda _: 20.0, lambda t: 10.0 if t < 10 else 30.0, 40, bearable_s=0.0, patience_s=1.0)
    assert math.isclose(found.late_s, 11, abs_tol=0.05)
    assert math.isclose(found.longest_wait_s, 1.0, rel_tol=0.01)


def test_enough_capacity_lets_nobody_wait():
    assert fluid(lambda _: 9.0, lambda _: 10.0, 10, bearable_s=0.0).late_s == 0


def test_what_is_no_time_or_no_capacity_is_refused():
    with pytest.raises(ValueError, match="capacity"):
        fluid(lambda _: 1.0, lambda _: 0.0, 1, bearable_s=0)
    with pytest.raises(ValueError, match="seconds"):
        fluid(lambda _: 1.0, lambda _: 1.0, 0, bearable_s=0)
