"""A PostgreSQL for tests: the one that POSTGRES_URL names, else one of our own where the programs are installed.

A service's conftest.py imports the fixtures `postgres` and `database_url`; a test that is marked
`on_both_databases` then runs on SQLite and on PostgreSQL, and is skipped where there is none.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

START_S = 60.0

on_both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A server for all tests of this process."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: SQLite, unless the test is marked `on_both_databases`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with postgres_database(request.getfixturevalue("postgres")) as url:
        yield url


@contextmanager
def postgres_server() -> Iterator[URL]:
    """The URL of a server, by which databases can be made. Skips the test where there is none."""
    if given := os.environ.get("POSTGRES_URL"):
        yield make_url(given)
        return
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: neither POSTGRES_URL nor the programs initdb and postgres")
    # A short path, since a socket's may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="souk-pg-") as folder:
        yield from _run(programs, Path(folder))


@contextmanager
def postgres_database(server: URL) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    name = f"souk_{uuid.uuid4().hex[:12]}"
    _execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _programs() -> Path | None:
    """The folder that has them; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _run(programs: Path, folder: Path) -> Iterator[URL]:
    # PostgreSQL refuses to run as root, which is what tests in a container often are.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "souk", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
    command: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder)
    try:
        url = make_url(f"postgresql://souk@/postgres?host={folder}")
        _wait(server, url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # "fast": a connection that a failed test left open is not waited for
        server.wait(timeout=START_S)


def _wait(server: "subprocess.Popen[bytes]", url: URL) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            _execute(url, "SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _execute(server: URL, statement: str) -> None:
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.autocommit = True
        connection.execute(statement)
