"""The environment, read once, as one checked object. All wrong values are reported together."""

import grp
import json
import os
import pwd
import re
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_FLEET = Path(__file__).resolve().parent.parent / "services" / "fleet.toml"
DEFAULT_RATES: dict[str, float] = {"/": 100.0, "/api/accounts/tokens": 10.0, "/api/accounts/users": 10.0}
PLACES_OF_NGINX = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


class SettingsError(Exception):
    """Names every setting that is wrong, one line each."""


@dataclass(frozen=True)
class Settings:
    """What the gateway can be told; the README has the table."""

    souk_home: Path = Path(".souk")
    host: str = "127.0.0.1"
    port: int = 8080
    discovery_url: str = "consul://127.0.0.1:8500"
    nginx_bin: str = ""
    fleet_file: Path = DEFAULT_FLEET
    workers: int = 2
    connections: int = 4096
    open_files: int = 16384
    user: str = ""
    cache_seconds: int = 2
    cached_routes: tuple[str, ...] = ("/api/catalog/products",)
    rate_limits: Mapping[str, float] = field(default_factory=lambda: DEFAULT_RATES)
    rate_limit_loopback: bool = False
    max_body_bytes: int = 1_000_000
    upstream_keepalive_s: int = 60
    connections_per_thread: int = 2
    ejection_s: int = 30
    try_budget: int = 20
    reload_window_ms: int = 225
    stop_s: int = 13
    access_log: bool = True
    log_max_mb: int = 256

    @property
    def watches_attempts(self) -> bool:
        """Whether nginx tells us what becomes of each attempt: for ejections, or for the budget of tries."""
        return bool(self.ejection_s or self.try_budget)

    @property
    def prefix(self) -> Path:
        """The folder in which nginx lives: configuration, pid, cache and temporary files."""
        return self.souk_home.absolute() / "run" / "nginx"

    @property
    def logs(self) -> Path:
        """Where the access log and nginx's error log are written."""
        return self.souk_home.absolute() / "logs"


class _Reader:
    """Reads values one by one and remembers what is wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.wrong: list[str] = []

    def text(self, name: str, default: str, allowed: re.Pattern[str] | None = None) -> str:
        value = self.environ.get(name) or default
        if allowed is not None and not allowed.fullmatch(value):
            self.wrong.append(f"{name}={value!r}: has characters that do not belong there")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.environ.get(name) or str(default)
        if not (value.isascii() and value.isdecimal() and low <= int(value) <= high):
            self.wrong.append(f"{name}={value!r}: must be a whole number from {low} to {high}")
            return default
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        value = (self.environ.get(name) or str(default)).lower()
        if value not in ("true", "false"):
            self.wrong.append(f"{name}={value!r}: must be true or false")
        return value == "true"

    def rates(self, name: str) -> Mapping[str, float]:
        value = self.environ.get(name) or json.dumps(DEFAULT_RATES)
        try:
            rates = {path: float(rate) for path, rate in json.loads(value).items()}
        except (ValueError, AttributeError, TypeError):
            rates = {"": 0.0}
        if not all(_PATH.fullmatch(path) and 1 / 60 <= rate <= 1e6 for path, rate in rates.items()):
            self.wrong.append(f'{name}={value!r}: must be JSON like {{"/api/orders": 20}} (requests a second)')
        return rates

    def paths(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        given = self.environ.get(name)
        found = default if given is None else tuple(part.strip() for part in given.split(",") if part.strip())
        for path in found:
            if not _PATH.fullmatch(path) or path.endswith("/"):
                self.wrong.append(f"{name}: {path!r} must be a path without a slash at its end")
        return found


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; an empty value means the default. Raises SettingsError."""
    read = _Reader(environ)
    souk_home = Path(read.text("SOUK_HOME", ".souk"))
    if souk_home.exists() and not souk_home.is_dir():
        read.wrong.append(f"SOUK_HOME={str(souk_home)!r}: is not a folder")
    fleet_file = Path(read.text("FLEET_FILE", str(DEFAULT_FLEET)))
    if not fleet_file.is_file():
        read.wrong.append(f"FLEET_FILE={str(fleet_file)!r}: there is no such file")
    connections = read.number("WORKER_CONNECTIONS", Settings.connections, 64, 65536)
    settings = Settings(
        souk_home=souk_home,
        fleet_file=fleet_file,
        connections=min(connections, _open_files(connections)),
        open_files=_open_files(connections),
        user=_worker_user(),
        host=read.text("GATEWAY_HOST", Settings.host, _HOST),
        port=read.number("GATEWAY_PORT", Settings.port, 1, 65535),
        discovery_url=read.text("DISCOVERY_URL", Settings.discovery_url),
        nginx_bin=find_nginx(read),
        workers=read.number("NGINX_WORKERS", Settings.workers, 1, 64),
        cache_seconds=read.number("CACHE_SECONDS", Settings.cache_seconds, 0, 3600),
        cached_routes=read.paths("CACHED_ROUTES", Settings.cached_routes),
        rate_limits=read.rates("RATE_LIMITS"),
        rate_limit_loopback=read.flag("RATE_LIMIT_LOOPBACK", Settings.rate_limit_loopback),
        max_body_bytes=read.number("MAX_BODY_BYTES", Settings.max_body_bytes, 1, 1_000_000_000),
        upstream_keepalive_s=read.number("UPSTREAM_KEEPALIVE_S", Settings.upstream_keepalive_s, 0, 3600),
        connections_per_thread=read.number("CONNECTIONS_PER_THREAD", Settings.connections_per_thread, 0, 1000),
        ejection_s=read.number("EJECTION_S", Settings.ejection_s, 0, 3600),
        try_budget=read.number("TRY_BUDGET", Settings.try_budget, 0, 100),
        reload_window_ms=read.number("RELOAD_WINDOW_MS", Settings.reload_window_ms, 0, 60_000),
        stop_s=read.number("STOP_S", Settings.stop_s, 1, 600),
        access_log=read.flag("ACCESS_LOG", Settings.access_log),
        log_max_mb=read.number("LOG_MAX_MB", Settings.log_max_mb, 1, 1_000_000),
    )
    if read.wrong:
        raise SettingsError("\n".join(read.wrong))
    return settings


def find_nginx(read: _Reader) -> str:
    """The path of nginx. It is often in a folder for administrators that is not on everybody's PATH."""
    path = os.pathsep.join((read.environ.get("PATH", os.defpath), *PLACES_OF_NGINX))
    wanted = read.environ.get("NGINX_BIN") or "nginx"
    found = shutil.which(wanted, path=path)
    if found is None:
        read.wrong.append(f"NGINX_BIN: no {wanted!r} here; install nginx 1.22 or newer (the package `nginx`)")
    return found or ""


def _worker_user() -> str:
    """Started by root, nginx would give its workers to `nobody`, who cannot write into SOUK_HOME."""
    if os.geteuid() != 0:
        return ""
    return f"{pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name}"


def _open_files(connections: int) -> int:
    """A connection to a client may need one to an instance and a cache file as well."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 4 * connections
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
