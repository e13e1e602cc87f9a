"""One whole system for all tests that run in the same combination: real processes, started and stopped by `souk`."""

from collections.abc import Iterator

import pytest

from bench.combined import Combined, combined
from bench.customer import Customer
from chassis.testing_dimensions import Combination

# Else two hashes for each of a crowd of customers are much of what a system costs. Accounts' own tests are about them.
CHEAP = {"ACCOUNTS__ARGON2_MEMORY_KIB": "64", "ACCOUNTS__ARGON2_PASSES": "1"}
MAX_TRIES = 3  # so few that an event which nobody takes is soon dead; no fault of ours may cost a good one that many


@pytest.fixture(scope="session")
def system(combination: Combination) -> Iterator[Combined]:
    """A running system. Tests that use it leave it as they found it, but for the numbers of replicas."""
    with combined(combination, EVENT_MAX_TRIES=str(MAX_TRIES), **CHEAP) as system:
        system.up()
        yield system


@pytest.fixture(scope="session")
def judge_latency(request: pytest.FixtureRequest) -> bool:
    """Whether how long things took is part of the verdict."""
    return bool(request.config.getoption("latency"))


@pytest.fixture
def replicas(system: Combined) -> Combined:
    """The same system with several replicas of what the tests count on."""
    system.has(catalog=3, inventory=3, orders=3)
    return system


@pytest.fixture
def operator(system: Combined) -> Customer:
    return system.operator()


@pytest.fixture
def customer(system: Combined) -> Customer:
    """A customer whom no other test knows."""
    return system.customer()


@pytest.fixture
def visitor(system: Combined) -> Customer:
    """Somebody who has not signed in."""
    return system.visitor()
