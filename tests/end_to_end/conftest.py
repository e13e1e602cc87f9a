"""One whole system for all tests that only use it: real processes, started and stopped by `souk`."""

from collections.abc import Iterator

import pytest

from bench.customer import Customer
from bench.system import System


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """A running system. Tests that use it carry `xdist_group("system")`, so that one worker starts it once."""
    with System() as system:
        yield system.up()


@pytest.fixture(scope="session")
def replicas(system: System) -> System:
    """The same system with several replicas of what the tests count on; it stays so."""
    system.scale(catalog=3, inventory=3, orders=2)
    return system


@pytest.fixture(scope="session")
def operator(system: System) -> Customer:
    return system.operator()


@pytest.fixture
def customer(system: System) -> Customer:
    """A customer whom no other test knows."""
    return system.customer()


@pytest.fixture
def visitor(system: System) -> Customer:
    """Somebody who has not signed in."""
    return system.visitor()
