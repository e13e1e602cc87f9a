"""Every setting of orders, beside those of the chassis."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "orders"
    prefix: ClassVar[str] = "/api/orders"

    order_deadline_s: float = Field(default=30.0, gt=0)
    """How long an order may wait for stock and payment before it is cancelled."""

    catalog_timeout_s: float = Field(default=1.5, gt=0)
    """How long the catalog may take. Short: a thread that waits for it is missing for events."""

    sweep_s: float = Field(default=1.0, gt=0)
    """How often a replica looks for orders whose deadline has passed."""

    most_open_orders: int = Field(default=200, ge=1)
    """With so many orders under way, in all replicas together, no further one is taken."""
