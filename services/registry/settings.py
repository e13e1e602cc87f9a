"""Environment -> one typed object. All wrong values are reported at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """Names every setting that is wrong, one line each."""


@dataclass(frozen=True)
class Settings:
    """What the registry can be told. `port` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8500
    souk_home: Path = Path(".souk")
    log_level: str = "info"

    @property
    def database(self) -> Path:
        """The SQLite file of the key-value pairs."""
        return self.souk_home / "data" / "registry.db"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read HOST, REGISTRY_PORT, SOUK_HOME and LOG_LEVEL; an empty value means the default.

    Raises SettingsError.
    """
    wrong = []
    host = environ.get("HOST") or Settings.host
    if any(sign.isspace() for sign in host):
        wrong.append(f"HOST={host!r}: must be an address or a host name")
    port_text = environ.get("REGISTRY_PORT") or str(Settings.port)
    port = int(port_text) if port_text.isdecimal() and port_text.isascii() else -1
    if not 0 <= port <= 65535:
        wrong.append(f"REGISTRY_PORT={port_text!r}: must be a whole number from 0 to 65535")
    log_level = (environ.get("LOG_LEVEL") or Settings.log_level).lower()
    if log_level not in LOG_LEVELS:
        wrong.append(f"LOG_LEVEL={log_level!r}: must be one of {', '.join(LOG_LEVELS)}")
    souk_home = Path(environ.get("SOUK_HOME") or Settings.souk_home)
    if souk_home.exists() and not souk_home.is_dir():
        wrong.append(f"SOUK_HOME={str(souk_home)!r}: is not a folder")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return Settings(host, port, souk_home, log_level)
