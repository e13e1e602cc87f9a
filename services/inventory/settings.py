"""Every setting of inventory, beside those that all services have (`chassis.settings`)."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "inventory"
    prefix: ClassVar[str] = "/api/inventory"

    seed_products: int = Field(default=144, ge=0)
    seed_stock: int = Field(default=10_000, ge=0, le=1_000_000_000)
