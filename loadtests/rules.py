"""The promises about orders, money and stock: each rule yields what contradicts it in the books."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from loadtests.books import Books, Item

OPEN = ("PENDING", "RESERVED")
HELD, COMMITTED = "RESERVED", "COMMITTED"


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that does not hold, and for what: an order, a sku or an event."""

    rule: str
    subject: str
    detail: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.subject}: {self.rule} ({self.detail})"


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
                detail = f"the reservation is {reservation['state']}: {dict(_quantities(reservation))}"
                yield Finding("a confirmed order took exactly its stock", order["id"], detail)


def an_ended_order_holds_no_stock(books: Books) -> Iterator[Finding]:
    for order in books.orders.values():
        reservation = books.reservations.get(order["id"])
        if reservation is None:
            continue
        if order["state"] == "CANCELLED" and reservation["state"] in (HELD, COMMITTED):
            yield Finding("a cancelled order holds no stock", order["id"], f"its reservation is {reservation['state']}")


def stock_moves_once_for_an_order(books: Books) -> Iterator[Finding]:
    left, held = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for movement in books.movements:
        if movement["order_id"] is not None:
            left[movement["order_id"]][movement["sku"]] -= movement["on_hand_delta"]
            held[movement["order_id"]][movement["sku"]] += movement["reserved_delta"]
    for order in books.orders.values():
        due: Counter[str] = _quantities(order) if order["state"] == "CONFIRMED" else Counter()
        if order["state"] not in OPEN and (left[order["id"]] != due or held[order["id"]] != Counter()):
            detail = f"{dict(left[order['id']])} left, {dict(held[order['id']])} still put aside"
            yield Finding("an order's stock leaves once, or not at all", order["id"], detail)


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
        if row["sku"] not in books.moving and row["reserved"] != held[row["sku"]]:
            detail = f"{row['reserved']} reserved, {held[row['sku']]} in open reservations"
            yield Finding("what is reserved is reserved for an order", row["sku"], detail)


def stock_equals_its_movements(books: Books) -> Iterator[Finding]:
    on_hand: Counter[str] = Counter()
    for movement in books.movements:
        on_hand[movement["sku"]] += movement["on_hand_delta"]
    for row in books.stock:
        if row["sku"] not in books.moving and row["on_hand"] != on_hand[row["sku"]]:
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
    stock_moves_once_for_an_order,
    stock_is_never_negative,
    stock_equals_its_reservations,
    stock_equals_its_movements,
    nothing_is_paid_or_held_for_an_unknown_order,
    every_event_arrives,
)


def check(books: Books) -> set[Finding]:
    """All findings of all rules."""
    return {finding for rule in RULES for finding in rule(books)}


def _kept_charges(books: Books) -> defaultdict[str, list[Item]]:
    kept: defaultdict[str, list[Item]] = defaultdict(list)
    for charge in books.charges:
        if charge["state"] == "CAPTURED":  # refunded ones are REFUNDED
            kept[charge["reference"]].append(charge)
    return kept


def _quantities(item: Item) -> Counter[str]:
    return Counter({line["sku"]: line["quantity"] for line in item["lines"]})
