"""What notifications can be told: nothing besides what every service can."""

from typing import ClassVar

from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "notifications"
    prefix: ClassVar[str] = "/api/notifications"
