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


class OwnPostgres:
    """A server that was started here, and can be killed and started again on its data."""

    def __init__(self, programs: Path, folder: Path, settings: dict[str, str]) -> None:
        # PostgreSQL refuses to run as root, which is what tests in a container often are.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self.url = make_url(f"postgresql://souk@/postgres?host={folder}")
        self._folder, data = folder, folder / "data"
        words: list[str | Path] = [programs / "initdb", "-D", data, "-U", "souk", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*words, "--no-sync"], check=True, capture_output=True, user=self._user, cwd=folder)
        self._words: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        self._words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it serves. Does nothing while it runs."""
        if self._server is not None:
            return
        self._server = subprocess.Popen(
            self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self._user, cwd=self._folder,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            try:
                _execute(self.url, "SELECT 1")
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """All its processes are gone at once, as in a power cut."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(timeout=START_S)
            self._server = None

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # "fast": a connection that was left open is not waited for
            self._server.wait(timeout=START_S)
            self._server = None


@contextmanager
def own_postgres(**settings: str) -> Iterator[OwnPostgres]:
    """A fresh server. settings: such as commit_delay. Raises NoPostgres."""
    programs = _programs()
    if programs is None:
        raise NoPostgres("no PostgreSQL: install the package postgresql")
    # A short path, since a socket's may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="souk-pg-") as folder:
        server = OwnPostgres(programs, Path(folder), {"fsync": "off"} | settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def own_server(**settings: str) -> Iterator[URL]:
    """The URL of a fresh server, by which databases can be made. Raises NoPostgres."""
    with own_postgres(**settings) as server:
        yield server.url


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
    url = create_database(server)
    try:
        yield url
    finally:
        _execute(server, f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')


def empty_database(url: str) -> None:
    """End all other connections to a database, and throw away what is in it. Its owner can, from PostgreSQL 15 on."""
    database = make_url(url)
    _execute(
        database,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
    )
    _execute(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def create_database(server: URL) -> str:
    """The URL of a new, empty database."""
    name = f"souk_{uuid.uuid4().hex[:12]}"
    _execute(server, f'CREATE DATABASE "{name}"')
    return server.set(database=name).render_as_string(hide_password=False)


def _programs() -> Path | None:
    """The folder that has them; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _execute(server: URL, statement: str) -> None:
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.autocommit = True
        connection.execute(statement)
