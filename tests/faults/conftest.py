"""What the fault tests share.

In `make test` they run beside other tests, so that they judge what was answered and not how fast. `make test-faults`
gives them the machine alone, and `--latency` to judge that, too.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.system import System
from chassis.testing_postgres import postgres_database, postgres_server

KEEPERS = ("ACCOUNTS", "BANK", "CARTS", "CATALOG", "INVENTORY", "NOTIFICATIONS", "ORDERS", "PAYMENTS")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--latency", action="store_true", help="judge latency too: nothing else may run meanwhile")


@pytest.fixture(scope="session")
def judge_latency(request: pytest.FixtureRequest) -> bool:
    """Whether how long things took is part of the verdict."""
    return bool(request.config.getoption("--latency", default=False))


@pytest.fixture(scope="session")
def shop() -> Iterator[System]:
    """A system with three replicas of catalog and of orders. Tests that use it leave it as they found it."""
    with System() as system:
        system.up()
        system.scale(catalog=3, orders=3)
        yield system


@pytest.fixture(scope="session")
def postgres_shop() -> Iterator[System]:
    """The same on a PostgreSQL server, a database for each service."""
    with postgres_server() as server, ExitStack() as stack:
        urls = {f"{name}__DATABASE_URL": stack.enter_context(postgres_database(server)) for name in KEEPERS}
        system = stack.enter_context(System(**urls))
        system.up()
        system.scale(catalog=3, orders=3)
        yield system
