"""The audit: does every promise about orders, money and stock hold, over all services' own books?

It reads the services' public APIs as an operator, the bank's, and the outboxes, and compares them. Services
settle by events, so a difference is at first only a suspicion: what is suspicious is read again until it is
gone, or the time is over.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

Item = dict[str, Any]
OPEN = ("PENDING", "RESERVED")
PAGE = 1000
HELD, COMMITTED = "RESERVED", "COMMITTED"


class CannotCheck(Exception):
    """A book that the audit needs could not be read; the message says which and why."""


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that does not hold, and for what: an order, a sku or an event."""

    rule: str
    subject: str
    detail: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.subject}: {self.rule} ({self.detail})"


@dataclass(frozen=True)
class Books:
    """All that is compared, read once. Charges are the bank's, events the undelivered and dead of all outboxes."""

    orders: dict[str, Item]
    payments: dict[str, Item]
    reservations: dict[str, Item]
    stock: list[Item]
    movements: list[Item]
    charges: list[Item]
    events: list[Item]


@dataclass(frozen=True)
class Source:
    """Where the books are: the gateway, the bank, and every instance with an outbox (service -> address)."""

    gateway: str
    operator_token: str
    bank: str
    outboxes: dict[str, str]
    service_token: Callable[[str], str]

    def read(self) -> Books:
        """Read everything. Raises CannotCheck."""
        user = self.operator_token
        orders = {order["id"]: order for order in _pages(f"{self.gateway}/api/orders?scope=all", user)}
        events = [
            {**event, "service": service}
            for service, address in self.outboxes.items()
            for state in ("pending", "dead")
            for event in _pages(f"{address}/internal/events?state={state}", self.service_token(service))
        ]
        return Books(
            orders=orders,
            reservations={r["order_id"]: r for r in _pages(f"{self.gateway}/api/inventory/reservations", user)},
            payments={p["order_id"]: p for p in _pages(f"{self.gateway}/api/payments", user)},
            stock=list(_pages(f"{self.gateway}/api/inventory/stock", user)),
            movements=list(_pages(f"{self.gateway}/api/inventory/movements", user)),
            charges=list(_pages(f"{self.bank}/charges", "")),
            events=events,
        )


def _pages(url: str, token: str) -> Iterator[Item]:
    cursor = None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    while True:
        params = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        try:
            response = requests.get(url, params=params, headers=headers, timeout=10)
            response.raise_for_status()
            page = response.json()
        except (requests.RequestException, ValueError) as error:
            raise CannotCheck(f"cannot read {url}: {error}") from error
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


# --- the rules: each yields what contradicts it


def every_order_ends(books: Books) -> Iterator[Finding]:
    for order in books.orders.values():
        if order["state"] in OPEN:
            yield Finding("every order ends in CONFIRMED or CANCELLED", order["id"], f"it is {order['state']}")


def a_confirmed_order_is_paid_once(books: Books) -> Iterator[Finding]:
    kept = _kept_charges(books)
    for order in books.orders.values():
        if order["state"] == "CONFIRMED":
            amounts = [charge["amount_cents"] for charge in kept[order["id"]]]
            if amounts != [order["total_cents"]]:
                detail = f"it costs {order['total_cents']}, the bank keeps {amounts}"
                yield Finding("a confirmed order is paid exactly once", order["id"], detail)
            payment = books.payments.get(order["id"], {"state": "missing"})
            if payment["state"] != "CAPTURED":
                yield Finding("a confirmed order's payment is CAPTURED", order["id"], f"it is {payment['state']}")


def a_cancelled_order_costs_nothing(books: Books) -> Iterator[Finding]:
    kept = _kept_charges(books)
    for order in books.orders.values():
        if order["state"] == "CANCELLED":
            if kept[order["id"]]:
                detail = f"the bank keeps {[charge['amount_cents'] for charge in kept[order['id']]]}"
                yield Finding("no charge is kept for a cancelled order", order["id"], detail)
            payment = books.payments.get(order["id"])
            if payment and payment["state"] not in ("DECLINED", "VOIDED", "REFUNDED"):
                yield Finding("a cancelled order's payment is given up", order["id"], f"it is {payment['state']}")


def nobody_is_charged_twice(books: Books) -> Iterator[Finding]:
    captured = Counter(charge["reference"] for charge in books.charges if charge["state"] != "DECLINED")
    for reference, count in captured.items():
        if count > 1 and reference in books.orders:
            yield Finding("nobody is charged twice", reference, f"{count} charges at the bank")


def a_confirmed_order_took_its_stock(books: Books) -> Iterator[Finding]:
    for order in books.orders.values():
        if order["state"] == "CONFIRMED":
            reservation = books.reservations.get(order["id"], {"state": "missing", "lines": []})
            if reservation["state"] != COMMITTED or _quantities(reservation) != _quantities(order):
                detail = f"the reservation is {reservation['state']}: {_quantities(reservation)}"
                yield Finding("a confirmed order took exactly its stock", order["id"], detail)


def an_ended_order_holds_no_stock(books: Books) -> Iterator[Finding]:
    for order in books.orders.values():
        reservation = books.reservations.get(order["id"])
        if reservation is None:
            continue
        if order["state"] == "CANCELLED" and reservation["state"] in (HELD, COMMITTED):
            yield Finding("a cancelled order holds no stock", order["id"], f"its reservation is {reservation['state']}")


def stock_is_never_negative(books: Books) -> Iterator[Finding]:
    for row in books.stock:
        if not 0 <= row["reserved"] <= row["on_hand"]:
            detail = f"on hand {row['on_hand']}, reserved {row['reserved']}"
            yield Finding("never more is reserved than there is", row["sku"], detail)


def stock_equals_its_reservations(books: Books) -> Iterator[Finding]:
    held: Counter[str] = Counter()
    for reservation in books.reservations.values():
        if reservation["state"] == HELD:
            held.update(_quantities(reservation))
    for row in books.stock:
        if row["reserved"] != held[row["sku"]]:
            detail = f"{row['reserved']} reserved, {held[row['sku']]} in open reservations"
            yield Finding("what is reserved is reserved for an order", row["sku"], detail)


def stock_equals_its_movements(books: Books) -> Iterator[Finding]:
    on_hand: Counter[str] = Counter()
    for movement in books.movements:
        on_hand[movement["sku"]] += movement["on_hand_delta"]
    for row in books.stock:
        if row["on_hand"] != on_hand[row["sku"]]:
            detail = f"on hand {row['on_hand']}, movements say {on_hand[row['sku']]}"
            yield Finding("every piece of stock came and went by a movement", row["sku"], detail)


def nothing_is_paid_or_held_for_an_unknown_order(books: Books) -> Iterator[Finding]:
    for name, book in (("payment", books.payments), ("reservation", books.reservations)):
        for order_id, item in book.items():
            if order_id not in books.orders and item["state"] in ("CAPTURED", HELD, COMMITTED):
                yield Finding("nothing is taken for an order that does not exist", order_id, f"a {name} does")


def every_event_arrives(books: Books) -> Iterator[Finding]:
    for event in books.events:
        rule = "no event is dead" if event["state"] == "dead" else "every event is delivered"
        detail = f"{event['type']} from {event['service']} to {event['subscriber']}: {event['last_error'] or 'waiting'}"
        yield Finding(rule, f"{event['service']} event {event['seq']}", detail)


RULES = (
    every_order_ends,
    a_confirmed_order_is_paid_once,
    a_cancelled_order_costs_nothing,
    nobody_is_charged_twice,
    a_confirmed_order_took_its_stock,
    an_ended_order_holds_no_stock,
    stock_is_never_negative,
    stock_equals_its_reservations,
    stock_equals_its_movements,
    nothing_is_paid_or_held_for_an_unknown_order,
    every_event_arrives,
)


def check(books: Books) -> set[Finding]:
    """All findings of all rules."""
    return {finding for rule in RULES for finding in rule(books)}


def audit(read: Callable[[], Books], within_s: float, pause_s: float = 1.0) -> tuple[Books, list[Finding]]:
    """Read and check until nothing is suspicious any more or `within_s` has passed.

    Only what was suspicious in every reading is a finding: new orders under way are nobody's fault. Raises
    CannotCheck.
    """
    deadline = time.monotonic() + within_s
    books = read()
    suspects = check(books)
    while suspects and time.monotonic() < deadline:
        time.sleep(pause_s)
        books = read()
        suspects = {finding for finding in check(books) if finding in suspects}
    return books, sorted(suspects)


def _kept_charges(books: Books) -> defaultdict[str, list[Item]]:
    kept: defaultdict[str, list[Item]] = defaultdict(list)
    for charge in books.charges:
        if charge["state"] == "CAPTURED":  # refunded ones are REFUNDED
            kept[charge["reference"]].append(charge)
    return kept


def _quantities(item: Item) -> Counter[str]:
    return Counter({line["sku"]: line["quantity"] for line in item["lines"]})
