"""The reference policy."""

from loadtests.lab.autoscaler import Observation, TargetTracking


def asked(policy, *seen):
    """What the policy says to each (second, replicas, utilisation)."""
    return [policy(Observation(*one)) for one in seen]


def test_it_asks_for_as_many_as_bring_the_utilisation_to_the_target():
    policy = TargetTracking(0.5, 1, 10)
    assert asked(policy, (0, 2, 1.0), (1, 4, 0.8)) == [4, 7]


def test_near_the_target_nothing_changes():
    assert asked(TargetTracking(0.5, 1, 10), (0, 3, 0.54), (1, 3, 0.46)) == [3, 3]


def test_it_stays_between_the_bounds():
    assert asked(TargetTracking(0.5, 2, 4), (0, 4, 1.0), (20, 4, 0.0), (40, 3, 0.0)) == [4, 2, 2]


def test_it_takes_none_away_before_it_was_calm_for_long():
    policy = TargetTracking(0.5, 1, 10, calm_s=10)
    assert asked(policy, (0, 4, 0.5), (5, 4, 0.1), (9, 4, 0.1), (10.5, 4, 0.1)) == [4, 4, 4, 1]


def test_a_short_rest_between_two_peaks_costs_no_replica():
    policy = TargetTracking(0.5, 1, 10, calm_s=10)
    assert asked(policy, (0, 4, 0.6), (1, 5, 0.1), (6, 5, 0.5), (12, 5, 0.1)) == [5, 5, 5, 5]
