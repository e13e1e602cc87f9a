"""The runner's settings: read once from the environment, checked together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chassis.redis_url import redis_address
from deploy.local.errors import Misused

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """One system of processes. Durations are in seconds, paths are absolute; the README says what each means."""

    home: Path
    gateway_port: int
    registry_port: int
    discovery_url: str
    redis_url: str
    events_url: str
    fleet_file: Path
    services_dir: Path
    liveness_s: float
    liveness_busy_s: float
    start_timeout_s: float
    stop_timeout_s: float

    @property
    def registry_url(self) -> str:
        return "http://" + urlsplit(self.discovery_url).netloc

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def own_registry(self) -> bool:
        """Whether we start the registry, or somebody else's Consul is used."""
        where = urlsplit(self.discovery_url)
        return where.hostname in ("127.0.0.1", "localhost") and where.port == self.registry_port

    def as_environment(self) -> dict[str, str]:
        """The environment that `load` turns into the same settings again."""
        return {
            "SOUK_HOME": str(self.home),
            "GATEWAY_PORT": str(self.gateway_port),
            "REGISTRY_PORT": str(self.registry_port),
            "DISCOVERY_URL": self.discovery_url,
            "EVENTS_URL": self.events_url,
            "FLEET_FILE": str(self.fleet_file),
            "SERVICES_DIR": str(self.services_dir),
            "LIVENESS_S": str(self.liveness_s),
            "LIVENESS_BUSY_S": str(self.liveness_busy_s),
            "START_TIMEOUT_S": str(self.start_timeout_s),
            "STOP_TIMEOUT_S": str(self.stop_timeout_s),
        } | ({"REDIS_URL": self.redis_url} if self.redis_url else {})  # empty it would contradict a REDIS_URL_FILE


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `environ`; raises Misused with one message that names every wrong one."""
    wrong: list[str] = []
    services = Path(environ.get("SERVICES_DIR") or PROJECT / "services").resolve()
    registry_port = _port(environ, "REGISTRY_PORT", 8500, wrong)
    settings = Settings(
        home=Path(environ.get("SOUK_HOME") or ".souk").resolve(),
        gateway_port=_port(environ, "GATEWAY_PORT", 8080, wrong),
        registry_port=registry_port,
        discovery_url=_consul(environ, f"consul://127.0.0.1:{registry_port}", wrong),
        redis_url=_redis(environ, wrong),
        events_url=_broker(environ, wrong),
        fleet_file=Path(environ.get("FLEET_FILE") or services / "fleet.toml").resolve(),
        services_dir=services,
        liveness_s=_seconds(environ, "LIVENESS_S", 2, wrong),
        liveness_busy_s=_seconds(environ, "LIVENESS_BUSY_S", 15, wrong),
        start_timeout_s=_seconds(environ, "START_TIMEOUT_S", 60, wrong),
        stop_timeout_s=_seconds(environ, "STOP_TIMEOUT_S", 15, wrong),
    )
    if settings.gateway_port == settings.registry_port:
        wrong.append("GATEWAY_PORT and REGISTRY_PORT are the same")
    if wrong:
        raise Misused("wrong settings: " + "; ".join(wrong))
    return settings


def _port(environ: Mapping[str, str], name: str, default: int, wrong: list[str]) -> int:
    text = environ.get(name) or str(default)
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    wrong.append(f"{name}={text!r} is not a port (1 to 65535)")
    return default


def _seconds(environ: Mapping[str, str], name: str, default: float, wrong: list[str]) -> float:
    text = environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds < float("inf"):
        return seconds
    wrong.append(f"{name}={text!r} is not a number of seconds")
    return default


def _consul(environ: Mapping[str, str], default: str, wrong: list[str]) -> str:
    text = environ.get("DISCOVERY_URL") or default
    try:
        parts = urlsplit(text)
        good = parts.scheme == "consul" and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        good = False
    if good:
        return text.rstrip("/")
    wrong.append(f"DISCOVERY_URL={text!r} is not consul://host:port (the runner needs a registry)")
    return default


def _redis(environ: Mapping[str, str], wrong: list[str]) -> str:
    """Checked here too: else every service would end at its start, each with the same words in its log."""
    text = environ.get("REDIS_URL", "")
    try:
        if text:
            redis_address(text)
    except ValueError as error:
        wrong.append(f"REDIS_URL: {error}")
    return text


def _broker(environ: Mapping[str, str], wrong: list[str]) -> str:
    """The services look closer; here it is one line instead of one from each of them, in its log."""
    text = environ.get("EVENTS_URL", "")
    try:
        parts = urlsplit(text)
        good = not text or (parts.scheme == "amqp" and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        good = False
    if not good:  # what it is stays unsaid: there may be a password in it
        wrong.append("EVENTS_URL is not amqp://user:password@host:port/vhost (nor empty, for HTTP push)")
    return text if good else ""
