"""Makes the keys and passwords of the system in containers: what is missing, and never one that is there.

    python -m deploy.compose.make_secrets FOLDER [--only-folders]

FOLDER has a folder for each container that needs some: a volume of its own, which only that container sees. So anybody
may read the files in it, and each image can run as whatever user it likes. The volumes live as long as the database,
which keeps the passwords that it was made with: `docker compose down -v` removes both.
"""

import base64
import hashlib
import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from deploy import fresh_secrets

SERVERS = ("postgres", "rabbitmq", "redis")
BROKER_USER = "souk"


def make_folders(folder: Path) -> None:
    """A folder for each container that needs secrets."""
    for name in (*SERVERS, *(one["name"] for one in fresh_secrets.fleet())):
        (folder / name).mkdir(exist_ok=True)


def make_secrets(folder: Path) -> None:
    """Fill the folders below `folder`; `postgres` has the one copy of each password that the others follow."""
    make_folders(folder)
    postgres = folder / "postgres"
    _kept(postgres / "password", fresh_secrets.password)
    for service in fresh_secrets.with_database():
        password = _kept(postgres / "roles" / service, fresh_secrets.password)
        _write(folder / service / "database-url", fresh_secrets.database_url(service, password, "postgres"))
    key = _kept(folder / "accounts" / "service.keys", fresh_secrets.key)
    broker = _kept(folder / "rabbitmq" / "password", fresh_secrets.password)
    _write(folder / "rabbitmq" / "definitions.json", json.dumps(broker_definitions(broker)))
    redis = _kept(folder / "redis" / "password", fresh_secrets.password)
    _write(folder / "redis" / "redis.conf", f"requirepass {redis}\n")
    for one in fresh_secrets.fleet():
        service = one["name"]
        _write(folder / service / "service.keys", key)
        if service != "bank" and one.get("database", True):  # these send events or receive some
            _write(folder / service / "events-url", f"amqp://{BROKER_USER}:{broker}@rabbitmq:5672")
        _write(folder / service / "redis-url", f"redis://:{redis}@redis:6379/0")
    _kept(folder / "accounts" / "passwords.json", fresh_secrets.seed_passwords)
    _kept(folder / "storefront" / "storefront.key", fresh_secrets.key)


def broker_definitions(password: str) -> dict:
    """The broker's only user, with the hash of its password as RabbitMQ keeps it."""
    salt = secrets.token_bytes(4)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    rights = dict.fromkeys(("configure", "write", "read"), r"^souk\..*")
    user = {"name": BROKER_USER, "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256"}
    return {
        "users": [{**user, "tags": ""}],
        "vhosts": [{"name": "/"}],
        "permissions": [{"user": BROKER_USER, "vhost": "/", **rights}],
    }


def _kept(file: Path, fresh: Callable[[], str]) -> str:
    """What is in the file; something fresh if there is no such file. Ends with a message for one that says nothing."""
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        _write(file, text := fresh())
    except (OSError, ValueError) as error:
        sys.exit(f"{file} cannot be read ({error}): put back what was in it, or remove it together with all data")
    if not text:
        sys.exit(f"{file} is empty: put back what was in it, or remove it together with all data")
    return text


def _write(file: Path, text: str) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    file.parent.mkdir(exist_ok=True)  # postgres/roles
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text)
    aside.chmod(0o444)
    aside.replace(file)


if __name__ == "__main__":
    where, *more = map(Path, sys.argv[1:] or [""])
    if not where.name or not where.is_dir() or more not in ([], [Path("--only-folders")]):
        sys.exit("usage: python -m deploy.compose.make_secrets FOLDER [--only-folders]")
    make_folders(where) if more else make_secrets(where)
