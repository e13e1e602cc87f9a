"""Time, with a clock that the test moves."""

import pytest

from registry.agent import Agent
from registry.blocking import Watches
from registry.checks import Checker
from registry.definitions import CheckDefinition, ServiceDefinition
from registry.store import Store


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return Store(Watches())


@pytest.fixture
def checker(store, clock):
    return Checker(store, clock)


@pytest.fixture
def agent(store, checker):
    return Agent(store, checker, ServiceDefinition(name="consul", id="consul"))


def register(agent, service_id="a", **check):
    definition = CheckDefinition(check_id=f"check-{service_id}", service_id=service_id, **{"ttl": 3.0} | check)
    agent.register(ServiceDefinition(name="shop", id=service_id, checks=[definition]), replace_checks=False)


def status(store, service_id="a"):
    return store.checks[f"check-{service_id}"].status


def test_a_ttl_runs_out_at_its_deadline_and_not_before(agent, checker, store, clock):
    register(agent, status="passing")
    clock.now += 2.9
    assert checker.expire() == pytest.approx(0.1)
    assert status(store) == "passing"
    clock.now += 0.2
    checker.expire()
    assert status(store) == "critical"


def test_a_renewal_starts_the_clock_again(agent, checker, store, clock):
    register(agent, status="passing")
    for _ in range(5):
        clock.now += 2.0
        agent.renew("check-a", "passing", "")
        checker.expire()
    assert status(store) == "passing"
    clock.now += 3.1
    checker.expire()
    assert status(store) == "critical"


def test_renewals_do_not_fill_the_heap(agent, checker, store, clock):
    register(agent, status="passing")
    for _ in range(1000):
        agent.renew("check-a", "passing", "")
    assert len(checker._heap) == 1


def test_a_new_registration_starts_the_clock_again_with_the_new_ttl(agent, checker, store, clock):
    register(agent, status="passing", ttl=60.0)
    register(agent, ttl=1.0)
    clock.now += 1.1
    checker.expire()
    assert status(store) == "critical"


def test_a_removed_check_expires_no_more(agent, checker, store, clock):
    register(agent, status="passing")
    agent.deregister("a")
    register(agent, status="passing", ttl=10.0)
    clock.now += 5
    checker.expire()
    assert status(store) == "passing"


def test_an_instance_that_stays_critical_is_removed_after_a_minute_at_least(agent, checker, clock):
    register(agent, status="passing", deregister_after=1.0)
    clock.now += 3.1
    checker.expire()
    clock.now += 59
    assert checker.overdue() == []
    clock.now += 2
    assert checker.overdue() == ["a"]


def test_an_instance_that_recovers_is_not_removed(agent, checker, clock):
    register(agent, deregister_after=60.0)
    clock.now += 3.1
    checker.expire()
    clock.now += 50
    agent.renew("check-a", "passing", "")
    agent.renew("check-a", "critical", "")
    clock.now += 50
    assert checker.overdue() == []


def test_reporting_critical_again_does_not_put_the_removal_off(agent, checker, clock):
    register(agent, deregister_after=60.0)
    for _ in range(7):
        agent.renew("check-a", "critical", "")
        clock.now += 10
    assert checker.overdue() == ["a"]


def test_a_check_that_never_reported_counts_from_its_first_expiry(agent, checker, clock):
    register(agent, ttl=300.0, deregister_after=60.0)
    clock.now += 200
    checker.expire()
    assert checker.overdue() == []
    clock.now += 101
    checker.expire()
    clock.now += 61
    assert checker.overdue() == ["a"]


def test_an_instance_without_that_wish_is_never_removed(agent, checker, store, clock):
    register(agent)
    clock.now += 10
    checker.expire()
    clock.now += 1_000_000
    assert (checker.overdue(), status(store)) == ([], "critical")
