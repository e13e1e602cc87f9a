"""The rules of the bank: which card gets which answer, and when. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    CAPTURED = "CAPTURED"  # the money was taken
    DECLINED = "DECLINED"  # it was not, and under this key never will be
    REFUNDED = "REFUNDED"  # it was taken and given back


ACCEPTED = "4242424242424242"
LATE = "4000000000000259"  # charged, but the answer comes when the caller has given up

LATE_WITHOUT_TIMEOUT_S = 3.0
LATE_BY_S = 0.5
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Behaviour:
    """How the bank behaves now. Rates are shares from 0 to 1; `away`: it answers 503 to every charge and refund."""

    latency_ms: int = 0
    failure_rate: float = 0.0
    decline_rate: float = 0.0
    away: bool = False
    answer_after_ms: int = 0


def decide(card: str, decline_rate: float, draw: float) -> State:
    """The outcome of a new charge. draw: a random number in [0, 1). Unknown cards are declined."""
    if card not in (ACCEPTED, LATE) or draw < decline_rate:
        return State.DECLINED
    return State.CAPTURED


def wait_before_answer_s(behaviour: Behaviour, card: str, is_new: bool, timeout_ms: int | None) -> float:
    """Seconds between the charge and its answer. timeout_ms: how long the caller waits, if it said so.

    The late card is late only the first time: a repetition with the same key gets its answer at once.
    """
    wait_s = behaviour.answer_after_ms / 1000
    if card == LATE and is_new:
        late_s = LATE_WITHOUT_TIMEOUT_S if timeout_ms is None else timeout_ms / 1000 + LATE_BY_S
        wait_s = max(wait_s, late_s)
    return min(wait_s, LONGEST_WAIT_S)
