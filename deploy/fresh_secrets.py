"""What is secret in the shop: fresh keys and passwords for a system that begins, wherever it runs."""

import json
import secrets
import tomllib
from pathlib import Path

FLEET = Path(__file__).parents[1] / "services" / "fleet.toml"
SEED_USERS = ("customer@souk.example", "operator@souk.example")


def fleet() -> list[dict]:
    """The entries of fleet.toml that know a secret: all but the registry and the gateway."""
    entries: list[dict] = tomllib.loads(FLEET.read_text())["service"]
    return [one for one in entries if one["name"] not in ("registry", "gateway")]


def with_database() -> list[str]:
    """The services that keep something."""
    return [one["name"] for one in fleet() if one.get("database", True)]


def key() -> str:
    """A key to sign with."""
    return secrets.token_hex(32)


def password() -> str:
    """A password between two programs; nothing in it needs quoting in a URL."""
    return secrets.token_hex(24)


def seed_passwords() -> str:
    """The file with the passwords of the users that are seeded."""
    return json.dumps({email: secrets.token_urlsafe(15) for email in SEED_USERS}, indent=2)


def database_url(service: str, password: str, server: str) -> str:
    """Where a service finds its own database, as the role that is named like it."""
    return f"postgresql://{service}:{password}@{server}:5432/{service}"
