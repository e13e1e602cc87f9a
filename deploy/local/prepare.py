"""Migrates and seeds the services' databases before the start; imports nothing of one that is up to date."""

import hashlib
import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from deploy.local.errors import Refused
from deploy.local.fleet import MARKER, Fleet, Service, environment
from deploy.local.home import Home
from deploy.local.logs import tail
from deploy.local.settings import Settings

IMPORTED = ("chassis.migrate", "chassis.database")  # most of what a migration takes is importing these
REVISION = re.compile(r"(\d{4})_\w+\.py")


def prepare(settings: Settings, fleet: Fleet, said: Callable[[str], None]) -> list[str]:
    """Prepare all services; returns the names of those that needed it. Raises Refused when one fails."""
    due = [s for s in fleet.services.values() if s.database and _is_due(settings, fleet, s)]
    orders = {service.name: _order(settings, fleet, service) for service in due}
    failed = []
    for name, status in _carried_out(settings, list(orders.values())):
        if status:
            failed.append(name)
            continue
        service = fleet.get(name)
        stamp = _seed_stamp(settings, service, orders[name]["env"])
        _stamp_file(Home(settings.home), service).write_text(stamp)
        said(name)
    if failed:
        words = tail(_log_file(settings, failed[0]))
        raise Refused(f"{failed[0]} could not migrate and seed its database; its last words:\n{words}")
    return list(orders)


def newest_revision(settings: Settings, service: Service) -> str | None:
    """The number of the newest migration, or None when the service has none."""
    files = (settings.services_dir / service.name / "migrations").glob("[0-9]*.py")
    numbers = [match[1] for file in files if (match := REVISION.fullmatch(file.name))]
    return max(numbers, default=None)


def recorded_revision(database: Path) -> str | None:
    """The revision that a SQLite file is at, or None."""
    if not database.exists():
        return None
    # Read-write: a database in WAL mode cannot be opened read-only when its -shm file is gone.
    connection = sqlite3.connect(database)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return row[0] if row else None


def _is_due(settings: Settings, fleet: Fleet, service: Service) -> bool:
    newest = newest_revision(settings, service)
    if newest is None:
        return False
    env = environment(settings, fleet, service)
    if "DATABASE_URL" in env:  # a database of the user's: what is in it, only the service itself can tell
        return True
    home = Home(settings.home)
    if recorded_revision(home.data / f"{service.name}.db") != newest:
        return True
    stamp = _stamp_file(home, service)
    return not stamp.exists() or stamp.read_text() != _seed_stamp(settings, service, env)


def _seed_stamp(settings: Settings, service: Service, env: dict) -> str:
    """What the seeding depends on: its code, its settings, the passwords."""
    seed = _seed_file(settings, service)
    told = {key: value for key, value in env.items() if key.startswith("SEED_")}
    passwords = Path(env["PASSWORDS_FILE"]).read_bytes()
    parts = [
        seed.read_bytes() if seed.exists() else b"",
        json.dumps(told, sort_keys=True).encode(),
        passwords,
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _seed_file(settings: Settings, service: Service) -> Path:
    return settings.services_dir / service.name / "seed.py"


def _stamp_file(home: Home, service: Service) -> Path:
    return home.data / f"{service.name}.seeded"


def _log_file(settings: Settings, name: str) -> Path:
    return Home(settings.home).logs / f"{name}-prepare.log"


def _order(settings: Settings, fleet: Fleet, service: Service) -> dict[str, Any]:
    """For `forked`: what the service's own command line is told."""
    return {
        "name": service.name,
        "words": ["migrate", "seed"] if _seed_file(settings, service).exists() else ["migrate"],
        "env": environment(settings, fleet, service),
        "log": str(_log_file(settings, service.name)),
    }


def _carried_out(settings: Settings, orders: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """The name and the exit code of each, as they end. Raises Refused when not all are heard of."""
    if not orders:
        return
    log = Home(settings.home).logs / "prepare.log"
    ours = (settings.services_dir / "chassis").is_dir()  # and not a fleet of other programs
    command = [sys.executable, "-uP", "-m", "deploy.local.forked", *(IMPORTED if ours else ())]
    env = {**os.environ, MARKER: str(settings.home)}  # who finds what is left behind knows it by this
    heard = set()
    with log.open("w") as file, Popen(command, env=env, stdin=PIPE, stdout=PIPE, stderr=file, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # if it has died, nobody is heard of
            process.stdin.write(json.dumps(orders) + "\n")
            process.stdin.close()
        for line in process.stdout:
            said = json.loads(line)
            heard.add(said["name"])
            yield said["name"], said["exit"]
    if len(heard) < len(orders):
        raise Refused(f"the databases could not be prepared; the last words in {log}:\n{tail(log)}")
