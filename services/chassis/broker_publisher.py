"""Messages to the broker, each of which is there for sure or reported as failed.

Confirms come in batches, and nobody waits for one before the next message goes out (RabbitMQ, "Consumer
Acknowledgements and Publisher Confirms"). `mandatory`: a message that reaches no queue comes back, and is no success.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from amqp import Message

from chassis import faults
from chassis.broker_link import BrokerGone, Channel, Link
from chassis.broker_topology import EVENTS, declare
from chassis.carrier import Done, Outcome
from chassis.outbox import Delivery

CONFIRM_S = 3.0
IDLE_S = 1.0
PERSISTENT = 2


@dataclass(frozen=True)
class Publication:
    """done: called once from the publisher's thread, with the error, or None when the broker has the message."""

    subscriber: str
    body: str
    done: Callable[[str | None], None]
    properties: Mapping[str, Any] = field(default_factory=dict)
    exchange: str = EVENTS
    good_until: float = float("inf")  # on the monotonic clock; later it is not sent any more


class Publisher:
    """Publishes on a connection of its own, so that a broker that takes nothing still gives. Thread-safe."""

    def __init__(self, url: str, subscribers: list[str]) -> None:
        self._subscribers = subscribers
        self._user = unquote(urlsplit(url).username or "guest")
        self._link = Link("publisher", url, self._opened, self._work, self._lost)
        self._given: SimpleQueue[Publication] = SimpleQueue()
        self._unconfirmed: dict[int, tuple[Publication, float]] = {}  # and when sent; in the order of their numbers
        self._returned: set[int] = set()
        self._number = 0
        self._missing = False  # a message came back
        self.woken: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._link.stop()

    @property
    def ready(self) -> bool:
        return self._link.up and not self._link.blocked

    def publish(self, publication: Publication) -> None:
        self._given.put(publication)
        self._link.wake()

    def flush(self) -> None:
        """Wait until all that was given is confirmed, as long as that can be hoped for."""
        ends_at = time.monotonic() + CONFIRM_S
        while self.ready and (self._unconfirmed or not self._given.empty()) and time.monotonic() < ends_at:
            time.sleep(0.01)

    def _opened(self, channel: Channel) -> None:
        declare(channel, self._subscribers)
        channel.confirm_select()
        channel.events["basic_ack"].add(lambda number, several: self._confirmed(number, several, None))
        channel.events["basic_nack"].add(
            lambda number, several: self._confirmed(number, several, "the broker refuses it")
        )
        channel.events["basic_return"].add(self._came_back)
        self._channel, self._number = channel, 0
        self._returned.clear()
        self.woken()

    def _work(self) -> float:
        while not self._link.blocked and (publication := self._next()) is not None:
            if time.monotonic() > publication.good_until:
                publication.done("it has waited too long for the broker")
            else:
                self._send(publication)
        self._check_that_confirms_come()
        if self._missing:  # somebody has deleted it
            declare(self._channel, self._subscribers)
            self._missing = False
        return IDLE_S

    def _next(self) -> Publication | None:
        try:
            return self._given.get_nowait()
        except Empty:
            return None

    def _send(self, publication: Publication) -> None:
        self._number += 1
        self._unconfirmed[self._number] = publication, time.monotonic()
        message = Message(
            publication.body, delivery_mode=PERSISTENT, content_type="application/cloudevents+json",
            user_id=self._user,  # which the broker compares with the connection's
            correlation_id=str(self._number), **publication.properties,
        )  # fmt: skip
        self._channel.basic_publish(message, publication.exchange, publication.subscriber, mandatory=True)

    def _confirmed(self, number: int, several: bool, error: str | None) -> None:
        numbers = [n for n in self._unconfirmed if n <= number] if several else [number]
        for each in numbers:
            publication, _ = self._unconfirmed.pop(each)
            if each in self._returned:
                self._returned.discard(each)
                self._missing, error = True, f"there is no queue for {publication.subscriber}"
            publication.done(error)

    def _came_back(self, _error: Exception, _exchange: str, _key: str, message: Any) -> None:
        """Its confirm comes right behind."""
        self._returned.add(int(message.properties["correlation_id"]))

    def _check_that_confirms_come(self) -> None:
        """A broker that took nothing for a while begins with what it was sent before."""
        _, sent_at = next(iter(self._unconfirmed.values()), (None, float("inf")))
        waiting_since = max(sent_at, self._link.free_since)
        if time.monotonic() > waiting_since + CONFIRM_S and not self._link.blocked:
            raise BrokerGone(f"no confirm within {CONFIRM_S:g} s")

    def _lost(self, why: str) -> None:
        """Whether the broker has them nobody knows; they will be sent again."""
        lost = [publication for publication, _ in self._unconfirmed.values()]
        self._unconfirmed.clear()
        while (publication := self._next()) is not None:
            lost.append(publication)
        for each in lost:
            each.done(f"the broker is away: {why}")


class BrokerCarrier:
    """The relay's way to the broker. «Sent» is what the broker has confirmed; its absence is nobody's try."""

    at_once = 64  # confirms come in batches, so many under way cost no more than few

    def __init__(self, publisher: Publisher, service: str) -> None:
        self._publisher, self._service = publisher, service
        self._done: Done = lambda _delivery, _outcome: None

    def start(self, done: Done, wake: Callable[[], None]) -> None:
        self._done, self._publisher.woken = done, wake

    def takes(self, subscriber: str) -> bool:  # noqa: ARG002
        return self._publisher.ready

    def most(self, subscriber: str) -> int:  # noqa: ARG002
        return 1  # several would share a fate, and there is nothing to gain

    def give(self, batch: list[Delivery]) -> None:
        (delivery,) = batch
        faults.point("outbox.claimed")
        properties = {"message_id": f"{self._service}-{delivery.seq}", "type": delivery.type}
        self._publisher.publish(
            Publication(
                delivery.subscriber,
                delivery.body,
                lambda error: self._report(delivery, error),
                properties,
                good_until=delivery.claim_ends,
            )
        )

    def stop(self) -> None:
        """The publisher itself ends after the relay."""
        self._publisher.flush()

    def _report(self, delivery: Delivery, error: str | None) -> None:
        if error is None:
            faults.point("outbox.sent")
            outcomes = [Outcome(delivery, sent=True)]
        else:
            outcomes = [Outcome(delivery, error=error)] if delivery.is_claimed else []
        self._done(delivery.subscriber, outcomes)
