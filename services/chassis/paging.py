"""Lists in pages by cursor: a page starts behind the last row of the one before it.

Unlike an offset, a cursor costs the same on the thousandth page as on the first, and rows that come or go
meanwhile are neither repeated nor skipped.
"""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from chassis.errors import Unprocessable

Row = TypeVar("Row")

NOT_OURS = "this cursor was not made by this list; start without one"


class Page(BaseModel):
    """The query parameters of a list: `limit` (20 by default, 100 at most) and `cursor`."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500)


class OperatorPage(Page):
    """An operator may take larger pages."""

    limit: int = Field(default=20, ge=1, le=1000)


def encode_cursor(value: Any) -> str:
    """Any JSON value as an opaque text that fits into a URL."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def decode_cursor(text: str, kind: type) -> Any:
    """The value in a cursor. Raises Unprocessable when it is not one of ours holding a `kind`."""
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        value = None
    if not isinstance(value, kind) or not _comparable(value):
        raise Unprocessable(NOT_OURS)
    return value


def decode_moment(text: str) -> tuple[datetime, str]:
    """The time and the id in the cursor of a list that is ordered by both. Raises Unprocessable."""
    value = decode_cursor(text, list)
    try:
        moment, identifier = value
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not isinstance(identifier, str):
            raise ValueError
        return at.astimezone(UTC), identifier
    except (TypeError, ValueError, OverflowError) as error:
        raise Unprocessable(NOT_OURS) from error


def _comparable(value: Any) -> bool:
    """Whether every database can compare with it: numbers of 64 bits, text without NUL or half characters."""
    if isinstance(value, list):
        return all(map(_comparable, value))
    if isinstance(value, str):
        return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def paged(rows: Sequence[Row], limit: int, key: Callable[[Row], Any]) -> tuple[list[Row], str | None]:
    """Cut `limit + 1` fetched rows to a page and the cursor of the next one, None on the last page."""
    page = list(rows[:limit])
    return page, encode_cursor(key(page[-1])) if len(rows) > limit else None
