"""The one form of REDIS_URL, checked without redis-py: who has no Redis pays for no import, and the runner can ask."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

# Without the address that was given: there may be a password in it.
FORM = "give redis://host:port/0, with a password redis://:password@host:port/0; in a password write %40 for @"


@dataclass(frozen=True)
class RedisAddress:
    host: str
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.db}"


def redis_address(url: str) -> RedisAddress:
    """Where `redis://[[user]:password@]host[:port][/number]` points to. Raises ValueError that says what to give."""
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise ValueError(FORM) from None
    number = parts.path.removeprefix("/") or "0"
    good = parts.scheme == "redis" and parts.hostname and port and not parts.query and not parts.fragment
    if not good or not (number.isascii() and number.isdigit()):
        raise ValueError(FORM)
    username, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return RedisAddress(str(parts.hostname), port, int(number), username, password)
