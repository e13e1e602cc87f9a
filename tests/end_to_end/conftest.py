"""One whole system for all tests that only use it: real processes, started and stopped by `souk`."""

from collections.abc import Iterator

import pytest
from _pytest import nodes

from bench.customer import Customer
from bench.system import System


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a group of `xdist_group` on one worker, so that the system is started once.

    pytest-xdist 3.8 notes the group in a field of the item that pytest 9.2 has renamed, and so loses it.
    """
    for item in items if getattr(config.option, "loadgroup", False) else ():
        group = item.get_closest_marker("xdist_group")
        if group and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = nodes.coerce_node_id(f"{item.nodeid}@{group.args[0]}")


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
