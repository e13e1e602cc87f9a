"""What the pages say about an order, and the few rules that are ours. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from chassis.errors import BadRequest

FINAL = ("CONFIRMED", "CANCELLED")
MOST_PIECES = 1000
SHORTEST_PASSWORD = 10  # only a hint in the form: accounts decides

# Numbers that stand for cards, with what the shop says beside them.
TEST_CARDS = (
    ("4242424242424242", "is accepted"),
    ("4000000000000002", "is declined"),
    ("4000000000000259", "is accepted, but the bank answers late"),
)

TITLES = {
    "PENDING": "Setting your things aside",
    "RESERVED": "Waiting for the payment",
    "CONFIRMED": "Confirmed",
    "CANCELLED": "Cancelled",
}
STEPS = {
    "PENDING": "Placed", "RESERVED": "Set aside for you", "CONFIRMED": "Paid and confirmed",
    "CANCELLED": "Cancelled",
}  # fmt: skip
TAGS = {"PENDING": "Placed", "RESERVED": "Being paid", "CONFIRMED": "Confirmed", "CANCELLED": "Cancelled"}
REASONS = {
    "out_of_stock": "We no longer had enough of what you ordered. Nothing was charged.",
    "payment_declined": "The card was declined. Nothing was charged.",
    "deadline": "It took us too long to get an answer. What was charged, if anything, is paid back.",
    "customer": "You cancelled it. What was charged, if anything, is paid back.",
}
PAYMENTS = {
    "PENDING": "being made", "CAPTURED": "paid", "DECLINED": "declined", "VOIDED": "not charged",
    "REFUNDING": "being paid back", "REFUNDED": "paid back",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One line of an order's progress. `at` is None for what has not happened; `current`: we are waiting here."""

    state: str
    title: str
    at: str | None
    current: bool = False


def progress(order: Mapping[str, Any]) -> list[Step]:
    """What has happened to an order, and then what is to come if all goes well."""
    history = order.get("history") or [{"state": order["state"], "at": None}]
    last = len(history) - 1
    done = [
        Step(entry["state"], STEPS.get(entry["state"], entry["state"]), entry["at"], i == last)
        for i, entry in enumerate(history)
    ]
    coming = {"PENDING": ("RESERVED", "CONFIRMED"), "RESERVED": ("CONFIRMED",)}.get(order["state"], ())
    return done + [Step(state, STEPS[state], None) for state in coming]


def money(cents: int | None, currency: str = "EUR") -> str:
    """1234 -> "€12.34"; nothing for an amount that is not known."""
    if not isinstance(cents, int):
        return ""
    amount = f"{abs(cents) // 100:,}.{abs(cents) % 100:02}"
    sign = "-" if cents < 0 else ""
    return f"{sign}€{amount}" if currency == "EUR" else f"{sign}{amount} {currency}"


def moment(text: str | None) -> str:
    """A time of the API (ISO 8601, UTC) for people: "5 Mar 2030, 14:03:22 UTC"."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return ""
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def safe_next(text: str | None) -> str:
    """Where to go after signing in: a path of this shop, or its first page for anything else.

    Browsers read `//host` and `/\\host` as other hosts, and drop tabs and line breaks before they look.
    """
    if not text or not text.startswith("/") or text[1:2] in ("/", "\\"):
        return "/"
    if not text.isprintable() or urlsplit(text).netloc:
        return "/"
    return text


def quantity_of(text: str, least: int = 1) -> int:
    """A quantity from a form. Raises BadRequest for one that is none."""
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()) or not least <= int(text) <= MOST_PIECES:
        raise BadRequest(f"a quantity is a whole number from {least} to {MOST_PIECES}")
    return int(text)
