"""Prints all Secrets that the manifests refer to, with fresh keys and passwords, as JSON for kubectl.

    python3 deploy/kubernetes/make_secrets.py local | kubectl create -f -

`create` and not `apply`: it changes none that is there, since a database keeps the passwords that it was made with.
"""

import json
import secrets
import sys
import tomllib
from pathlib import Path

FLEET = Path(__file__).parents[2] / "services" / "fleet.toml"
NAMESPACE = "souk"
OVERLAYS = ("local", "production")
SEED_USERS = ("customer@souk.example", "operator@souk.example")


def make_secrets(overlay: str) -> list[dict]:
    """The Secrets of this overlay. Only `local` seeds users, and has a PostgreSQL that we set up ourselves."""
    passwords = {service: secrets.token_hex(24) for service in with_database()}
    made = [
        secret("service-keys", {"service.keys": secrets.token_hex(32)}),
        secret("storefront-keys", {"storefront.key": secrets.token_hex(32)}),
    ]
    for service, password in passwords.items():
        url = f"postgresql://{service}:{password}@postgres-rw:5432/{service}"
        values = {"username": service, "password": password, "url": url}
        made.append(secret(f"{service}-database", values, "kubernetes.io/basic-auth"))
    if overlay == "local":
        users = {email: secrets.token_urlsafe(15) for email in SEED_USERS}
        made += [
            secret("seed-passwords", {"passwords.json": json.dumps(users)}),
            secret("postgres-password", {"password": secrets.token_hex(24)}),
            secret("database-passwords", passwords),
        ]
    return made


def with_database() -> list[str]:
    """The services that keep something."""
    return [one["name"] for one in tomllib.loads(FLEET.read_text())["service"] if one.get("database", True)]


def secret(name: str, values: dict[str, str], kind: str = "Opaque") -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": kind,
        "stringData": values,
    }


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in OVERLAYS:
        sys.exit(f"usage: make_secrets.py {' | '.join(OVERLAYS)}")
    json.dump({"apiVersion": "v1", "kind": "List", "items": make_secrets(sys.argv[1])}, sys.stdout, indent=1)
