"""Every setting of carts, beside those that all services have (`chassis.settings`)."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "carts"
    prefix: ClassVar[str] = "/api/carts"

    catalog_timeout_s: float = Field(default=1.0, gt=0)
