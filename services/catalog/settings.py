"""Every setting of catalog, beside those that all services have (`chassis.settings`)."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "catalog"
    prefix: ClassVar[str] = "/api/catalog"

    product_max_age_s: int = Field(default=2, ge=0)
    seed_products: int = Field(default=144, ge=0)
