"""How numbers are written on a page: three digits that count, and a dash for what is not known."""

import math
from collections.abc import Mapping
from typing import Any

NONE = "\N{EN DASH}"


def figure(value: Any, unit: str = "") -> str:
    """`1234.5` -> `1,230`, `0.012345` -> `0.0123`; counts keep all digits; None and nan are a dash; text stays.

    A rate is written as `80/s`, whether its unit is `1/s` or `/s`.
    """
    text, unit = _number(value), unit.removeprefix("1") if unit.startswith("1/") else unit
    if not unit or text == NONE:
        return text
    return text + unit if unit.startswith("/") else f"{text} {unit}"


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if value is None or not isinstance(value, float):
        return ("" if value is None else str(value)) or NONE
    if not math.isfinite(value) or value == 0:
        return NONE if math.isnan(value) else f"{value:g}"
    digits = 2 - math.floor(math.log10(abs(value)))
    if digits > 12:
        return f"{value:.1e}"
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def percent(value: Any) -> str:
    """A share: `-0.0526` -> `-5.3 %`."""
    known = isinstance(value, (int, float)) and math.isfinite(value)
    return f"{100 * value:+.1f}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}") if known else NONE


def interval(low: Any, high: Any) -> str:
    """`21.5 to 22.7`; a dash where there is none."""
    ends = (_number(low), _number(high))
    return NONE if NONE in ends else f"{ends[0]} to {ends[1]}"


def bounds(low: Any, high: Any) -> str:
    """`1.07 to 3.22`, `at most 3.22`, `at least 1.07`, or a dash where there is no bound."""
    ends = (_number(low), _number(high))
    if NONE not in ends:
        return interval(low, high)
    return next((f"{word} {end}" for word, end in zip(("at least", "at most"), ends, strict=True) if end != NONE), NONE)


def inputs(given: Any) -> str:
    """What a formula was given: `{"rate": {"value": 80, "unit": "1/s"}, "n": 3}` -> `rate = 80 1/s, n = 3`."""
    if not isinstance(given, Mapping):
        return spell(given)
    return ", ".join(f"{name} = {_input(value)}" for name, value in given.items())


def _input(value: Any) -> str:
    if isinstance(value, Mapping) and "value" in value:
        return figure(value["value"], str(value.get("unit", "")))
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], str):
        return figure(value[0], value[1])
    return spell(value)


def spell(value: Any) -> str:
    """Anything that JSON can hold, in one line of words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {spell(part)}" for name, part in value.items()) or NONE
    if isinstance(value, (list, tuple)):
        return ", ".join(spell(part) for part in value) or NONE
    return figure(value)
