"""The exchanges and queues at the broker:

    souk.events       direct exchange; the routing key is the subscriber
    souk.inventory    the queue of one subscriber, from which all its replicas take
    souk.dead         direct exchange, to ...
    souk.inventory.dead   what the subscriber has refused too often, until somebody retries it

Publishers and consumers both make what is missing, so whoever comes first loses nothing. What is there already is
taken as it is: an operator may have made it otherwise.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from amqp.exceptions import AccessRefused, NotFound

from chassis.broker_link import Channel

EVENTS, DEAD = "souk.events", "souk.dead"


def queue_name(subscriber: str) -> str:
    return f"souk.{subscriber}"


def dead_name(subscriber: str) -> str:
    return f"souk.{subscriber}.dead"


def declare(channel: Channel, subscribers: Iterable[str]) -> None:
    """Make the exchanges and the queues of these subscribers, where they are missing and we may.

    Whose user may not make another service's queue waits until that service has: until then its messages come back.
    """
    for subscriber in subscribers:
        _make(channel.connection, dead_name(subscriber), DEAD, subscriber)
        _make(channel.connection, queue_name(subscriber), EVENTS, subscriber)


def _make(connection: Any, name: str, exchange: str, key: str) -> None:
    """On a channel of its own, for a question or an order that is refused closes its channel.

    Durable, of the virtual host's default type. In a cluster that should be quorum. On a single node such a queue
    may stay without a leader after a crash (RabbitMQ 3.10; decision 12), and takes nothing then; a classic one goes on.
    """
    channel = connection.channel()
    with suppress(AccessRefused):
        try:
            channel.queue_declare(name, passive=True)
        except NotFound:
            channel = connection.channel()
            channel.queue_declare(name, durable=True, auto_delete=False)
        channel.exchange_declare(exchange, "direct", durable=True, auto_delete=False)
        channel.queue_bind(name, exchange, key)
        channel.close()
