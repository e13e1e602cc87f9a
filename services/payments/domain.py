"""The rules of a payment: its states, and what an answer of the bank or a cancelled order makes of it. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from chassis.errors import Problem

MAX_BACK_OFF_S = 2.0


class State(StrEnum):
    PENDING = "PENDING"  # the bank is to be asked, or is being asked, for the money
    CAPTURED = "CAPTURED"  # the money was taken
    DECLINED = "DECLINED"  # the bank said no
    VOIDED = "VOIDED"  # the order was cancelled before the bank did anything
    REFUNDING = "REFUNDING"  # the bank is to give the money back
    REFUNDED = "REFUNDED"  # it has


OPEN = (State.PENDING, State.REFUNDING)  # there is something to ask the bank


class Reason(StrEnum):
    CARD_DECLINED = "card_declined"
    ORDER_CANCELLED = "order_cancelled"


REASONS = {
    State.DECLINED: Reason.CARD_DECLINED,
    State.VOIDED: Reason.ORDER_CANCELLED,
    State.REFUNDING: Reason.ORDER_CANCELLED,
    State.REFUNDED: Reason.ORDER_CANCELLED,
}


class Answer(StrEnum):
    """What asking the bank brought."""

    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    REFUNDED = "REFUNDED"
    NOTHING_DONE = "NOTHING_DONE"  # certain: the request was never sent, or was refused
    CONFLICT = "CONFLICT"  # the key stands for something else, or the charge was given back by somebody else
    UNCLEAR = "UNCLEAR"  # a time-out, a lost connection, a 500: it may have been done, or may still be


@dataclass(frozen=True)
class Standing:
    """How a payment stands.

    cancelled: its order was, before the bank's answer is known. claimed: a worker is asking the bank, or died
    while it did. in_doubt: a request may have reached the bank, or may still reach it, and the answer is unknown.
    """

    state: State
    cancelled: bool = False
    claimed: bool = False
    in_doubt: bool = False


class CardDeclined(Problem):
    """The bank said no; the same question will get the same answer."""

    status, title = 402, "Payment declined"


def cancelled(standing: Standing) -> Standing:
    """The order was cancelled: void what was never sent, give back what was taken, mark what is under way."""
    match standing:
        case Standing(State.PENDING, claimed=False, in_doubt=False):
            return Standing(State.VOIDED, cancelled=True)
        case Standing(State.PENDING):
            return replace(standing, cancelled=True)
        case Standing(State.CAPTURED):
            return Standing(State.REFUNDING, cancelled=True)
    return standing


def answered(standing: Standing, answer: Answer, mine: bool) -> Standing:
    """A worker brings an answer of the bank. mine: nobody has taken over the claim of that worker.

    An answer to a question that is settled already changes nothing.
    """
    match standing.state, answer:
        case State.PENDING, Answer.CAPTURED:
            return Standing(State.REFUNDING if standing.cancelled else State.CAPTURED, standing.cancelled)
        case State.PENDING, Answer.DECLINED:
            return Standing(State.DECLINED, standing.cancelled)
        case State.REFUNDING, Answer.REFUNDED:
            return Standing(State.REFUNDED, standing.cancelled)
        case State.PENDING | State.REFUNDING, Answer.NOTHING_DONE if mine:
            free = replace(standing, claimed=False)
            return cancelled(free) if standing.state is State.PENDING and standing.cancelled else free
        case State.PENDING | State.REFUNDING, Answer.UNCLEAR | Answer.CONFLICT if mine:
            return replace(standing, claimed=False, in_doubt=True)
    return standing


def back_off_s(tries: int) -> float:
    """Seconds until the bank is asked again, after so many tries."""
    return min(MAX_BACK_OFF_S, 0.1 * 2 ** min(tries, 10))


def charge_key(order_id: str) -> str:
    """The idempotency key of the one charge of an order: the same for every worker, replica and repetition."""
    return f"charge-{order_id}"


def refund_key(order_id: str) -> str:
    """The idempotency key of the one refund of an order."""
    return f"refund-{order_id}"


def direct_key(reference: str) -> str:
    """The key of a charge that is asked for by name; no order's charge can have it."""
    return f"direct-{reference}"
