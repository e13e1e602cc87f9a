"""The environment, read once, as one typed and frozen object per process.

A service subclasses `ChassisSettings`, sets `service` and adds its own fields. The field `order_deadline_s`
is read from `ORDER_DEADLINE_S`; lists and dictionaries are given as JSON. What is secret, such as `DATABASE_URL`, may
lie in a file that `DATABASE_URL_FILE` names.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chassis.discovery_url import discovery_parts
from chassis.redis_url import redis_address

Strategies = ("round_robin", "random", "p2c", "weighted", "consistent_hash")


class SettingsError(Exception):
    """Some settings are missing or wrong; the message has one line for each of them."""


class ChassisSettings(BaseModel):
    """What every service can be told. Seconds and milliseconds are in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    service: ClassVar[str]
    prefix: ClassVar[str] = ""

    version: str = "0.1.0"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    threads: int = Field(default=8, ge=1, le=512)
    weight: int = Field(default=1, ge=1)
    souk_home: Path = Path(".souk")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    database_url: str = ""
    discovery_url: str = "consul://127.0.0.1:8500"
    redis_url: str = ""
    redis_timeout_ms: int = Field(default=50, ge=1)
    call_try_ms: int = Field(default=300, ge=1)
    retry_share: float = Field(default=0.1, ge=0, le=1)
    breaker_fails: int = Field(default=20, ge=0)
    balancing: dict[str, str] = {"*": "p2c"}
    events_url: str = ""
    event_routes: dict[str, list[str]] = {}
    event_batches: dict[str, list[str]] = {}
    event_max_tries: int = Field(default=10, ge=1)
    service_key_file: Path | None = None

    ttl_s: float = Field(default=3.0, gt=0)
    renewal_s: float = Field(default=1.0, gt=0)
    drain_s: float = Field(default=2.0, ge=0)
    graceful_timeout_s: int = Field(default=10, ge=1)
    request_timeout_ms: int = Field(default=10_000, ge=1)
    shed_after_ms: int = Field(default=2_500, ge=0)
    max_body_bytes: int = Field(default=1_000_000, ge=1)
    client_timeout_s: float = Field(default=10.0, gt=0)
    keep_days: float = Field(default=7.0, gt=0)

    rate_limit_per_s: float = Field(default=50.0, ge=0)
    rate_limit_loopback: bool = False
    faults_enabled: bool = False

    @field_validator("balancing")
    @classmethod
    def _known_strategies(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value.values()) - set(Strategies)):
            raise ValueError(f"no strategy called {', '.join(unknown)}; there are {', '.join(Strategies)}")
        return value

    @field_validator("events_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = not value or (parts.scheme == "amqp" and bool(parts.hostname) and parts.port != 0)
        except ValueError:
            good = False
        if not good:  # without the value, in which there is a password
            raise ValueError("must be amqp://user:password@host:port/vhost, or empty for HTTP push")
        return value

    @field_validator("discovery_url")
    @classmethod
    def _discovery_form(cls, value: str) -> str:
        discovery_parts(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: str) -> str:
        if value:
            redis_address(value)
        return value

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read every field from the environment. Raises SettingsError that names all that is wrong."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, field in cls.model_fields.items():
            try:
                text = _given(name.upper(), environ)
            except OSError as error:
                problems.append(f"{name.upper()}_FILE: cannot read {error.filename} ({error.strerror})")
                continue
            except ValueError as error:
                problems.append(f"{name.upper()}: {error}")
                continue
            if text is None:
                continue
            try:
                values[name] = json.loads(text) if _is_collection(field.annotation) else text
            except ValueError:
                problems.append(f"{name.upper()}: not valid JSON")
        try:
            settings = cls(**values)
        except ValidationError as error:
            problems += [f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        if problems:
            lines = "\n  ".join(problems)
            raise SettingsError(f"{cls.service}: wrong settings in the environment:\n  {lines}")
        return settings

    @property
    def database(self) -> str:
        """The database's URL: the one given, else a SQLite file of this service's own."""
        return self.database_url or f"sqlite:///{self.souk_home.absolute()}/data/{self.service}.db"

    @property
    def service_keys(self) -> Path:
        """The file with the keys that sign and verify service tokens."""
        return self.service_key_file or self.souk_home / "keys" / "service.keys"


def _given(name: str, environ: Mapping[str, str]) -> str | None:
    """The text of a setting: from the environment, or from the file that `<name>_FILE` names."""
    text, file = environ.get(name), environ.get(f"{name}_FILE")
    if not file:
        return text
    if text is not None:
        raise ValueError(f"give either {name} or {name}_FILE, not both")
    return Path(file).read_text().strip()


def _is_collection(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, list)
