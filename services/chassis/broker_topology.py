"""The exchanges and queues at the broker:

    souk.events       direct exchange; the routing key is the subscriber
    souk.inventory    the queue of one subscriber, from which all its replicas take
    souk.dead         direct exchange, to ...
    souk.inventory.dead   what the subscriber has refused too often, until somebody retries it

Publishers and consumers both make what is missing, so whoever comes first loses nothing. What is there already is
taken as it is: an operator may have made it otherwise.
"""

from collections.abc import Iterable
from typing import Any

from amqp.exceptions import NotFound
from kombu import Exchange, Queue

from chassis.broker_link import Channel

EVENTS, DEAD = "souk.events", "souk.dead"
# Kept by a majority of a cluster's nodes, and on the disk before it is confirmed. A message whose consumers died over
# it so often is dead; RabbitMQ 4 would drop it after 20 times, and one that was looked at among the dead as well.
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
DEATHS, LOOKS = 100, 1_000_000


def queue_name(subscriber: str) -> str:
    return f"souk.{subscriber}"


def dead_name(subscriber: str) -> str:
    return f"souk.{subscriber}.dead"


def declare(channel: Channel, subscribers: Iterable[str]) -> None:
    """Make the exchanges and the queues of these subscribers where they are missing."""
    events, dead = (Exchange(name, "direct", durable=True) for name in (EVENTS, DEAD))
    for subscriber in subscribers:
        for name, exchange, arguments in (
            (dead_name(subscriber), dead, {"x-delivery-limit": LOOKS}),
            (queue_name(subscriber), events, {
                "x-delivery-limit": DEATHS,
                "x-dead-letter-exchange": DEAD,
                "x-dead-letter-routing-key": subscriber,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",  # which at-least-once demands
            }),
        ):  # fmt: skip
            if not _is_there(channel.connection, name):
                queue = Queue(name, exchange, routing_key=subscriber, durable=True, queue_arguments=_QUORUM | arguments)
                queue(channel).declare()


def _is_there(connection: Any, queue: str) -> bool:
    """The question closes its channel when the answer is no, so it has one of its own."""
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except NotFound:
        return False
    channel.close()
    return True
