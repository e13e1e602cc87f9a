"""Makes the keys and passwords of the system in containers: what is missing, and never one that is there.

    python -m deploy.compose.make_secrets FOLDER

FOLDER has a folder for each container that needs some: a volume of its own, which only that container sees. So anybody
may read the files in it, and each image can run as whatever user it likes. The volumes live as long as the database,
which keeps the passwords that it was made with: `docker compose down -v` removes both.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from deploy import fresh_secrets

SIGNING = ("accounts", "carts", "inventory", "notifications", "orders", "payments", "storefront", "catalog", "bank")


def make_secrets(folder: Path) -> None:
    """Fill the folders below `folder`; `postgres` has the one copy of each password that the others follow."""
    postgres = folder / "postgres"
    _kept(postgres / "password", fresh_secrets.password)
    for service in fresh_secrets.with_database():
        password = _kept(postgres / "roles" / service, fresh_secrets.password)
        _write(folder / service / "database-url", fresh_secrets.database_url(service, password, "postgres"))
    key = _kept(folder / "accounts" / "service.keys", fresh_secrets.key)
    for service in SIGNING:
        _write(folder / service / "service.keys", key)
    _kept(folder / "accounts" / "passwords.json", fresh_secrets.seed_passwords)
    _kept(folder / "storefront" / "storefront.key", fresh_secrets.key)


def _kept(file: Path, fresh: Callable[[], str]) -> str:
    """What is in the file; something fresh if there is no such file."""
    if not file.exists():
        _write(file, fresh())
    return file.read_text()


def _write(file: Path, text: str) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    file.parent.mkdir(exist_ok=True)
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text)
    aside.chmod(0o444)
    aside.replace(file)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python -m deploy.compose.make_secrets FOLDER")
    make_secrets(Path(sys.argv[1]))
