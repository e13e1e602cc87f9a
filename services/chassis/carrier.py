"""What carries deliveries from the relay to their subscribers: the one seam between the outbox and the network.

There are two: `chassis.push` posts to an instance of the subscriber, `chassis.broker_publisher` publishes to RabbitMQ.
What is given at once, a batch, is for one subscriber, and there are `most` deliveries in it at most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chassis.outbox import Delivery


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery. `sent`; else `error`, and whether it counts as a try."""

    delivery: Delivery
    sent: bool = False
    counts: bool = False
    error: str = ""


Done = Callable[[str, list[Outcome]], None]
"""Whose batch it was, and what became of it. What is missing had waited until its claim was over, and is anybody's."""


class Carrier(Protocol):
    """Sends deliveries that are claimed. Thread-safe."""

    at_once: int  # batches to one subscriber that are under way at once

    def start(self, done: Done, wake: Callable[[], None]) -> None:
        """From now on `done` hears of each batch once; `wake`: a subscriber may take some again."""

    def takes(self, subscriber: str) -> bool:
        """Whether it makes sense to give it a delivery now. It does not where the way is known to be closed."""

    def most(self, subscriber: str) -> int:
        """How many deliveries make a batch for it now."""

    def give(self, batch: list[Delivery]) -> None: ...

    def stop(self) -> None:
        """What is under way ends; what nobody has begun is claimed for two seconds, and then another replica's."""
