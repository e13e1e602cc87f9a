"""Every setting of payments, beside those of the chassis."""

from typing import ClassVar

from pydantic import Field

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "payments"
    prefix: ClassVar[str] = "/api/payments"

    bank_timeout_ms: int = Field(default=1_000, ge=1, le=60_000)
    """How long one question to the bank may take."""

    workers: int = Field(default=4, ge=1, le=64)
    """How many payments a replica settles at the same time. Requests and events have threads of their own."""

    @property
    def bank_timeout_s(self) -> float:
        return self.bank_timeout_ms / 1000

    @property
    def claim_s(self) -> float:
        """How long a worker has a payment for itself: the two questions that it may ask, and some air."""
        return 2 * self.bank_timeout_s + 1
