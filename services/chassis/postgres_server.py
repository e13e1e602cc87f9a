"""A PostgreSQL server of one's own, for tests and experiments: the one that POSTGRES_URL names, else a fresh one.

A fresh one needs the programs initdb and postgres, and is gone afterwards with all that was in it.
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
from sqlalchemy import URL, make_url

START_S = 60.0


class NoPostgres(Exception):
    """There is none, and none can be started. The text says what is missing."""


@contextmanager
def own_server(**settings: str) -> Iterator[URL]:
    """The URL of a server, by which databases can be made. settings: those of a fresh one, such as commit_delay.

    Raises NoPostgres.
    """
    programs = _programs()
    if programs is None:
        raise NoPostgres("no PostgreSQL: the programs initdb and postgres are not installed")
    # A short path, since a socket's may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="souk-pg-") as folder:
        yield from _run(programs, Path(folder), {"fsync": "off"} | settings)


@contextmanager
def any_server() -> Iterator[URL]:
    """The server that POSTGRES_URL names, else one of our own. Raises NoPostgres."""
    if given := os.environ.get("POSTGRES_URL"):
        yield make_url(given)
        return
    with own_server() as url:
        yield url


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


def _run(programs: Path, folder: Path, settings: dict[str, str]) -> Iterator[URL]:
    # PostgreSQL refuses to run as root, which is what tests in a container often are.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "souk", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
    command: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
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
