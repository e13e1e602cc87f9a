"""JSON in, the way Go reads it: keys match without regard to case, types are exact, unknown keys are refused.

A table says per key what it is called here and which of the small `as_…` functions reads its value.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from registry.web import Refusal

UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_S = 2**63 / 1e9  # Go counts nanoseconds in 63 bits
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def duration(text: str) -> float:
    """Seconds in Go's notation: `1.5s`, `1h30m`, `500ms`, `-5s`, `0`. Raises ValueError."""
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0.0
    if not body or not re.fullmatch(f"(?:{PART.pattern})+", body, re.ASCII):
        raise ValueError(f"invalid duration {json.dumps(text)}")
    seconds = sum(float(number) * UNITS_S[unit] for number, unit in PART.findall(body))
    if seconds > LONGEST_S:
        raise ValueError(f"invalid duration {json.dumps(text)}")
    return -seconds if text[0] == "-" else seconds


Parse = Callable[[Any, str], Any]
Fields = dict[str, tuple[str, Parse]]


def fields(*rows: tuple[str, str, Parse]) -> Fields:
    """(keys as the API writes them, our name or "" to drop it, how to read it)."""
    return {key.lower(): (name, parse) for keys, name, parse in rows for key in keys.split()}


def load(body: bytes) -> Any:
    """The JSON value of a request's body; `null` reads as an empty object. Raises Refusal(400)."""
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise Refusal(400, "Request decode failed: EOF")
    try:
        # Like Go's decoder: the first value counts, what follows it is not looked at.
        value, _ = DECODER.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"Request decode failed: {error}") from None
    return {} if value is None else value


def _no_constant(name: str) -> float:
    raise ValueError(f"invalid character {name[0]!r}")


DECODER = json.JSONDecoder(parse_constant=_no_constant)


def members(value: Any, table: Fields, where: str = "") -> dict[str, Any]:
    """The object's members under our names. `null` counts as not given."""
    if not isinstance(value, dict):
        raise wrong(value, where, "object")
    found = {}
    for key, item in value.items():
        if key.lower() not in table:
            raise Refusal(400, f"Request decode failed: json: unknown field {json.dumps(key)}")
        name, parse = table[key.lower()]
        if item is not None:
            found[name] = parse(item, f"{where}.{key}")
    found.pop("", None)
    return found


def wrong(value: Any, where: str, wanted: str) -> Refusal:
    kinds = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    into = f"struct field {where}" if where else "value"
    kind = kinds.get(type(value), "null")
    reason = f"cannot unmarshal {kind} into Go {into} of type {wanted}"
    return Refusal(400, f"Request decode failed: json: {reason}")


def as_text(value: Any, where: str) -> str:
    if value is None:  # inside a list or a map
        return ""
    if not isinstance(value, str):
        raise wrong(value, where, "string")
    # Half a surrogate pair is valid JSON and cannot be sent back as UTF-8.
    return value.encode("utf-8", "replace").decode()


def as_whole(value: Any, where: str) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise wrong(value, where, "int")
    return value


def as_flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(value, where, "bool")
    return value


def as_seconds(value: Any, where: str) -> float:
    """Text in Go's notation, or a bare number of nanoseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(value, where, "duration")
    try:
        seconds = duration(value if isinstance(value, str) else f"{value:.0f}ns")
    except (ValueError, OverflowError) as error:
        raise Refusal(400, f"Request decode failed: time: {error}") from None
    if seconds < 0:
        raise Refusal(400, f"Invalid check: negative duration {where}")
    return seconds


def list_of(parse: Parse) -> Parse:
    def parse_all(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong(value, where, "[]")
        return [parse(item, where) for item in value]

    return parse_all


def map_of(parse: Parse) -> Parse:
    def parse_all(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong(value, where, "map")
        return {as_text(key, where): parse(item, where) for key, item in value.items()}

    return parse_all


def ignored(value: Any, where: str) -> Any:  # noqa: ARG001
    """For what means nothing here, such as a token."""
    return value


def left_out(value: Any, where: str) -> Any:
    """For what would change the meaning if it were ignored: refused unless it is empty."""
    if value:
        raise Refusal(400, f"This registry does not know {where.lstrip('.')}; a Consul agent does")
    return value
