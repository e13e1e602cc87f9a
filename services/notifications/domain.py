"""The words: what a customer is told about what happened."""

from dataclasses import dataclass

REASONS = {
    "out_of_stock": "something in it is sold out",
    "payment_declined": "your card was declined",
    "deadline": "it took us too long to get everything together",
    "customer": "you asked for it",
}


@dataclass(frozen=True)
class Words:
    subject: str
    body: str


def welcome(name: str) -> Words:
    return Words("Welcome to Souk", f"Hello {name},\n\nyour account is open. Enjoy the market!")


def confirmed(order_id: str, total_cents: int, currency: str) -> Words:
    total = money(total_cents, currency)
    return Words(
        f"Your order {short(order_id)} is confirmed",
        f"Thank you!\n\nYour order {order_id} over {total} is paid and will soon be on its way.",
    )


def cancelled(order_id: str, total_cents: int, currency: str, reason: str | None) -> Words:
    """A reason that we do not know is left out: events evolve by adding."""
    because = f", because {REASONS[reason]}" if reason in REASONS else ""
    total = money(total_cents, currency)
    return Words(
        f"Your order {short(order_id)} is cancelled",
        f"Your order {order_id} over {total} is cancelled{because}.\n\n"
        "You pay nothing. If your card was charged already, the money is on its way back.",
    )


def money(cents: int, currency: str) -> str:
    """`1,234.50 EUR`. Whole cents, no rounding."""
    return f"{cents // 100:,}.{cents % 100:02} {currency}"


def short(order_id: str) -> str:
    """Enough of an order's id to tell it from one's others in a subject line."""
    return order_id[:8]
