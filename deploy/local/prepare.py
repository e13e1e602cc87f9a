"""Migrates and seeds the services' databases before the start; imports nothing of one that is up to date."""

import hashlib
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.errors import Refused
from deploy.local.fleet import Fleet, Service, environment
from deploy.local.home import Home
from deploy.local.logs import tail
from deploy.local.settings import Settings

AT_ONCE = 2
REVISION = re.compile(r"(\d{4})_\w+\.py")


def prepare(settings: Settings, fleet: Fleet, said: Callable[[str], None]) -> list[str]:
    """Prepare all services; returns the names of those that needed it. Raises Refused when one fails."""
    due = [s for s in fleet.services.values() if s.database and _is_due(settings, fleet, s)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for service in pool.map(lambda s: _prepare_one(settings, fleet, s), due):
            said(service.name)
    return [service.name for service in due]


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


def _prepare_one(settings: Settings, fleet: Fleet, service: Service) -> Service:
    home = Home(settings.home)
    env = environment(settings, fleet, service)
    log = home.logs / f"{service.name}-prepare.log"
    command = [*service.command[:-1], "migrate"]
    if _seed_file(settings, service).exists():
        command.append("seed")
    with log.open("w") as file:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
    if done.returncode:
        raise Refused(f"{service.name} could not migrate and seed its database; its last words:\n{tail(log)}")
    _stamp_file(home, service).write_text(_seed_stamp(settings, service, env))
    return service
