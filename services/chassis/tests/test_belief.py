"""What is believed of a registry's answers: stale beats empty."""

import pytest

from chassis.belief import Belief
from chassis.instance import parse_instance
from chassis.tests.fake_servers import FakeClock, row

EXPIRED = ("critical", "TTL expired (last output before timeout follows): ")
BROKEN = ("critical", "connection refused")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def update(clock):
    belief = Belief(3.0, clock)

    def update(*rows, doubtful=False):
        found = [parse_instance(one) for one in rows]
        return [instance.id for instance in belief.update(found, doubtful)]

    update.belief = belief
    return update


def test_only_instances_whose_checks_all_pass_are_healthy(update):
    maintenance = row("c", ("passing", ""), ("critical", "maintenance"))
    assert update(row("b"), row("a"), row("d", ("warning", "slow")), maintenance) == ["a", "b"]


def test_a_removal_is_believed_at_once_in_normal_times(update):
    update(row("a"), row("b"))
    assert update(row("a")) == ["a"]
    assert update() == []


def test_a_registry_that_came_back_empty_is_doubted_for_three_renewals(update, clock):
    update(row("a"), row("b"))
    assert update(doubtful=True) == ["a", "b"]
    clock.now += 2.9
    assert update() == ["a", "b"]
    clock.now += 0.2
    assert update() == []


def test_additions_are_believed_in_times_of_doubt(update, clock):
    update(row("a"), row("b"))
    update(doubtful=True)
    assert update(row("b"), row("c")) == ["a", "b", "c"]
    clock.now += 4
    assert update(row("b"), row("c")) == ["b", "c"]


def test_a_registered_instance_that_says_it_is_ill_is_believed_in_times_of_doubt(update):
    update(row("a"), row("b"))
    assert update(row("a", BROKEN), doubtful=True) == ["b"]


def test_the_answer_is_looked_at_again_when_the_doubt_ends(update, clock):
    update(row("a"))
    assert update.belief.settled_in_s() is None
    update(doubtful=True)
    assert update.belief.settled_in_s() == pytest.approx(3.0)
    clock.now += 3.1
    update()
    assert update.belief.settled_in_s() is None


def test_one_expired_instance_of_several_is_left_out(update):
    update(row("a"), row("b"))
    assert update(row("a"), row("b", EXPIRED)) == ["a"]


def test_when_all_have_expired_the_last_healthy_ones_stay(update):
    update(row("a"), row("b"), row("c", BROKEN))
    assert update(row("a", EXPIRED), row("b", EXPIRED)) == ["a", "b"]


def test_those_that_expired_shortly_before_the_last_one_come_back_with_it(update, clock):
    update(row("a"), row("b"), row("c"))
    assert update(row("a"), row("b"), row("c", EXPIRED)) == ["a", "b"]
    clock.now += 60
    assert update(row("a"), row("b", EXPIRED), row("c", EXPIRED)) == ["a"]
    clock.now += 1
    assert update(row("a", EXPIRED), row("b", EXPIRED), row("c", EXPIRED)) == ["a", "b"]


def test_an_expired_instance_that_is_deregistered_is_gone(update):
    update(row("a"), row("b"))
    update(row("a", EXPIRED), row("b", EXPIRED))
    assert update(row("b", EXPIRED)) == ["b"]
    assert update() == []


def test_a_client_that_has_seen_nobody_healthy_tries_the_expired_ones(update):
    assert update(row("a", EXPIRED), row("b", BROKEN)) == ["a"]


def test_an_instance_that_is_ill_for_another_reason_is_never_used(update):
    update(row("a"))
    assert update(row("a", BROKEN)) == []
    assert update(row("a", EXPIRED, BROKEN)) == []


def test_an_instance_is_what_the_registry_says():
    weights = {"Passing": 3, "Warning": 1}
    found = parse_instance(row("a", port=80, Tags=["x"], Meta={"version": "2"}, Weights=weights))
    assert (found.id, found.service, found.url) == ("a", "catalog", "http://10.0.0.1:80")
    assert (found.tags, found.meta, found.weight, found.status) == (("x",), {"version": "2"}, 3, "passing")


def test_an_instance_without_an_address_has_its_nodes():
    assert parse_instance(row("a", Address="", Tags=None, Meta=None)).url == "http://10.9.9.9:4001"


def test_an_ipv6_address_is_bracketed():
    assert parse_instance(row("a", Address="::1")).url == "http://[::1]:4001"
