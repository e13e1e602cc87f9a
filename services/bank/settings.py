"""Every setting of the bank, beside those of the chassis. How it misbehaves is set at `/settings` while it runs."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "bank"

    threads: int = Field(default=16, ge=1, le=512)

    spare_threads: int = Field(default=4, ge=0)
    """So many threads never wait in a slow answer, so that a slow bank can still be told to be fast again."""
