"""Input that no formula can use is refused by name, before it becomes a wrong number."""

import math


class Overloaded(ValueError):
    """More work arrives than can be done, so that the queue grows for as long as it lasts: there is no mean."""


def positive(**values: float) -> None:
    """Each value is a finite number above 0; else ValueError."""
    for name, value in values.items():
        if not _finite(value) or value <= 0:
            raise ValueError(f"{name} must be a finite number above 0, not {value!r}")


def not_negative(**values: float) -> None:
    """Each value is a finite number, 0 or more; else ValueError."""
    for name, value in values.items():
        if not _finite(value) or value < 0:
            raise ValueError(f"{name} must be a finite number, 0 or more, not {value!r}")


def share(**values: float) -> None:
    """Each value lies between 0 and 1, both included; else ValueError."""
    for name, value in values.items():
        if not _finite(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")


def inside(**values: float) -> None:
    """Each value lies between 0 and 1, neither included; else ValueError."""
    for name, value in values.items():
        if not _finite(value) or not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, neither included, not {value!r}")


def whole(least: int, **values: int) -> None:
    """Each value is a whole number, `least` or more; else ValueError."""
    for name, value in values.items():
        if isinstance(value, bool) or not _finite(value) or value != int(value) or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, not {value!r}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False
