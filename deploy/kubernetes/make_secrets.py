"""Prints all Secrets that the manifests refer to, with fresh keys and passwords, as JSON for kubectl.

    python3 -m deploy.kubernetes.make_secrets local | kubectl create -f -

`create` and not `apply`: it changes none that is there, since a database keeps the passwords that it was made with.
"""

import json
import sys

from deploy import fresh_secrets

NAMESPACE = "souk"
OVERLAYS = ("local", "production")


def make_secrets(overlay: str) -> list[dict]:
    """The Secrets of this overlay. Only `local` seeds users, and has a PostgreSQL that we set up ourselves."""
    passwords = {service: fresh_secrets.password() for service in fresh_secrets.with_database()}
    made = [
        secret("service-keys", {"service.keys": fresh_secrets.key()}),
        secret("storefront-keys", {"storefront.key": fresh_secrets.key()}),
    ]
    for service, password in passwords.items():
        url = fresh_secrets.database_url(service, password, "postgres-rw")
        values = {"username": service, "password": password, "url": url}
        made.append(secret(f"{service}-database", values, "kubernetes.io/basic-auth"))
    if overlay == "production":  # where RabbitMQ carries the events
        made += [broker_user(service) for service in passwords if service != "bank"]
    if overlay == "local":
        made += [
            secret("seed-passwords", {"passwords.json": fresh_secrets.seed_passwords()}),
            secret("postgres-password", {"password": fresh_secrets.password()}),
            secret("database-passwords", passwords),
        ]
    return made


def broker_user(service: str) -> dict:
    """What the operator makes the user of, and the URL for the service."""
    password = fresh_secrets.password()
    url = f"amqp://{service}:{password}@rabbitmq:5672/souk"
    return secret(f"{service}-events", {"username": service, "password": password, "url": url})


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
        sys.exit(f"usage: python -m deploy.kubernetes.make_secrets {' | '.join(OVERLAYS)}")
    json.dump({"apiVersion": "v1", "kind": "List", "items": make_secrets(sys.argv[1])}, sys.stdout, indent=1)
