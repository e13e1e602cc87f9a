"""Turning the knobs of a running system over HTTP: faults, the bank, live settings, tokens, keys."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from deploy.local.client import Unreachable, ask
from deploy.local.errors import Misused, Refused
from deploy.local.health import registered
from deploy.local.killing import pick
from deploy.runtime import Runtime

if TYPE_CHECKING:
    import requests

ISSUER = "souk"


def service_token(system: Runtime, target: str) -> str:
    """A token with which `target` lets us in as a neighbour."""
    from chassis.errors import Unavailable
    from chassis.service_tokens import ServiceTokens

    try:
        return ServiceTokens(ISSUER, system.service_keys).sign(target)
    except Unavailable:
        raise Refused(f"there is no key in {system.service_keys}: `souk up` makes one") from None


def instances(system: Runtime, service: str, which: str | None = None) -> list[tuple[str, str]]:
    """(id, URL) of every healthy instance of a service, or of the one that is meant; never an empty list."""
    system.fleet.get(service)
    if which is not None:
        row = pick(system, service, which)
        return [(row["id"], f"http://{row['address']}:{row['port']}")]
    known = registered(system.registry_url, session=system.http)
    if known is None:
        raise Refused(f"nothing sensible from the registry at {system.registry_url}: `souk status` shows why")
    healthy = [i for i in known if i.service == service and i.health != "critical"]
    if not healthy:
        raise Refused(f"no instance of {service} is healthy: `souk status` shows why")
    return [(i.id, f"http://{i.address}:{i.port}") for i in healthy]


def internal(system: Runtime, service: str, method: str, path: str, which: str | None = None, **options: Any) -> list:
    """The same internal call to every instance that is meant; the answers, in the order of the instances."""
    headers = {"Authorization": f"Bearer {service_token(system, service)}"}
    found = instances(system, service, which)
    return [ask(system.http(), method, url + path, id, headers=headers, **options) for id, url in found]


def internal_once(system: Runtime, service: str, method: str, path: str, **options: Any) -> "requests.Response":
    """An internal call to one instance: for what all replicas keep together, in their database.

    One that has just died is still listed for a moment, so the next one is asked.
    """
    headers = {"Authorization": f"Bearer {service_token(system, service)}"}
    *others, last = instances(system, service)
    for id, url in others:
        with suppress(Unreachable):
            return ask(system.http(), method, url + path, id, headers=headers, **options)
    id, url = last
    return ask(system.http(), method, url + path, id, headers=headers, **options)


def pairs(words: list[str]) -> dict:
    """`["rate=0.5", "away=true"]` -> `{"rate": 0.5, "away": True}`; what is no JSON is text."""
    values = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not key or not equals:
            raise Misused(f"{word!r} is not KEY=VALUE")
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    return values


def fault(system: Runtime, service: str, name: str, words: list[str], which: str | None) -> str:
    """Arm a fault in every instance of a service, or switch all off."""
    if name == "off":
        count = len(internal(system, service, "DELETE", "/internal/faults", which))
        return f"faults are off in {count} of {service}"
    body = {"name": name, **pairs(words)}
    count = len(internal(system, service, "PUT", "/internal/faults", which, json=body))
    return f"{name} is armed in {count} of {service}; `souk fault {service} off` ends it"


def bank(system: Runtime, words: list[str]) -> dict:
    """Change the bank's settings, and return all of them."""
    id, url = instances(system, "bank")[0]
    if words:
        return ask(system.http(), "PUT", f"{url}/settings", id, json=pairs(words)).json()
    return ask(system.http(), "GET", f"{url}/settings", id).json()


def put_setting(system: Runtime, key: str, value: str) -> None:
    """Write a live setting; whoever it concerns watches it."""
    from urllib.parse import quote

    url = f"{system.registry_url}/v1/kv/{quote('souk/' + key.strip('/'))}"
    ask(system.http(), "PUT", url, "the registry", data=value.encode())


def user_token(system: Runtime, email: str) -> str:
    """Sign in as one of the seeded users; returns the access token."""
    passwords = system.passwords()
    if email not in passwords:
        raise Misused(f"no password is kept for {email!r}; there are {', '.join(passwords)}")
    url = f"{system.gateway_url}/api/accounts/tokens"
    body = {"email": email, "password": passwords[email]}
    return ask(system.http(), "POST", url, "accounts", json=body, timeout=15).json()["access_token"]


def rotate_keys(system: Runtime) -> None:
    """Let accounts sign with a new key; tokens of the old one stay valid."""
    internal_once(system, "accounts", "POST", "/internal/keys/rotate", json={})
