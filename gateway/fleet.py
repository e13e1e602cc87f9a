"""The public routes, read from fleet.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


class FleetError(Exception):
    """The fleet file cannot be read or does not make sense; the message says where."""


@dataclass(frozen=True)
class Route:
    """One service that is reachable from outside.

    prefix: its public path. timeout_ms: the time that a request to it gets. idempotent: its POST routes that
    are safe to send twice; `{id}` stands for one path segment. try_ms: how long one instance is waited for before
    another one is asked, where that is safe. threads: requests that one instance works on at once, where it does not
    say so itself. writes: how many of the requests that one instance is sent at once may be writes; 0: all.
    """

    service: str
    prefix: str
    timeout_ms: int = 5000
    idempotent: tuple[str, ...] = ()
    try_ms: int = 700
    threads: int = 8
    writes: int = 0


def read_fleet(path: Path) -> tuple[Route, ...]:
    """All services with a public prefix, in the order of the file. Raises FleetError."""
    try:
        entries = tomllib.loads(path.read_text())["service"]
        routes = tuple(
            Route(
                entry["name"],
                entry["prefix"],
                entry.get("timeout_ms", Route.timeout_ms),
                tuple(entry.get("idempotent", ())),
                entry.get("try_ms", Route.try_ms),
                entry.get("threads", Route.threads),
                entry.get("writes", Route.writes),
            )
            for entry in entries
            if entry.get("prefix")
        )
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise FleetError(f"{path}: not a fleet file: {error}") from error
    prefixes = [route.prefix for route in routes]
    if doubled := sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1}):
        raise FleetError(f"{path}: two services have the prefix {', '.join(doubled)}")
    return routes
