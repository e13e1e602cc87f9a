"""Every setting of the storefront, beside those of the chassis."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from chassis.settings import ChassisSettings

SHORTEST_KEY = 32


class Settings(ChassisSettings):
    service: ClassVar[str] = "storefront"
    prefix: ClassVar[str] = "/"

    max_body_bytes: int = Field(default=100_000, ge=1)
    """Forms are small."""

    session_key_file: Path | None = Field(default=None, validate_default=True)
    """Keys that sign the session cookie, one a line: the first signs, all verify."""

    session_days: float = Field(default=14.0, gt=0)
    """How long a browser that does not come back stays signed in."""

    soft_timeout_s: float = Field(default=1.0, gt=0)
    """How long a page waits for a part that it can do without."""

    @field_validator("session_key_file")
    @classmethod
    def _has_a_key(cls, value: Path | None, info: ValidationInfo) -> Path:
        file = value or Path(info.data.get("souk_home", ".souk")) / "keys" / "storefront.key"
        if any(len(key) < SHORTEST_KEY for key in _keys(file)):
            raise ValueError(f"each key in {file} needs at least {SHORTEST_KEY} characters")
        return file

    @property
    def session_keys(self) -> list[str]:
        """The keys in the file, the signing one first."""
        return _keys(self.session_key_file or Path())


def _keys(file: Path) -> list[str]:
    try:
        keys = file.read_text().split()
    except OSError as error:
        raise ValueError(f"cannot read {file} ({error.strerror}); `souk up` makes it") from error
    if not keys:
        raise ValueError(f"there is no key in {file}; `souk up` makes one")
    return keys
