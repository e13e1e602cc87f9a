"""What accounts can be told, besides what every service can."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "accounts"
    prefix: ClassVar[str] = "/api/accounts"

    access_token_s: int = Field(default=900, ge=1, le=86_400)
    refresh_token_days: float = Field(default=30.0, gt=0, le=3_650)
    refresh_grace_s: float = Field(default=30.0, ge=0)
    key_activation_s: float = Field(default=10.0, ge=0, le=3_600)

    argon2_memory_kib: int = Field(default=19_456, ge=8, le=4_194_304)
    argon2_passes: int = Field(default=2, ge=1, le=100)
    hashes_at_once: int = Field(default=2, ge=1, le=64)
    sign_in_failures_per_min: float = Field(default=10.0, ge=0)

    passwords_file: Path | None = None

    @property
    def passwords(self) -> Path:
        """The file with the passwords of the users that `seed` makes."""
        return self.passwords_file or self.souk_home / "passwords.json"
