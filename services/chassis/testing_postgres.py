"""A PostgreSQL for tests: the one that POSTGRES_URL names, else one of our own where the programs are installed.

A test that is marked `on_both_databases` runs on SQLite and on PostgreSQL, and is skipped where there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from chassis.postgres_server import NoPostgres, any_server, empty_database, postgres_database
from chassis.testing_dimensions import DIMENSIONS, server_or_skip

on_both_databases = pytest.mark.parametrize("database_url", DIMENSIONS["database"], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A server for all tests of this process."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def one_database(postgres: URL) -> Iterator[str]:
    """A database for one test after the other: to make one takes longer than most tests."""
    with postgres_database(postgres) as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: SQLite, unless the test is marked `on_both_databases`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    url = request.getfixturevalue("one_database")
    yield url
    empty_database(url)


@contextmanager
def postgres_server() -> Iterator[URL]:
    """The URL of a server, by which databases can be made. Skips the test where there is none."""
    with server_or_skip("PostgreSQL", any_server, NoPostgres) as url:
        yield url
