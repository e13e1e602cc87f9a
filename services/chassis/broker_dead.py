"""What waits at the broker for this service, what is dead there, and one more try for it. For operators' tools.

AMQP lets nobody look at a message without taking it: all are taken, and given back.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from apiflask import APIBlueprint
from flask import Flask, current_app

from chassis.broker_link import Channel, connect
from chassis.broker_publisher import Publication, Publisher
from chassis.broker_topology import dead_name, declare, queue_name
from chassis.errors import NotFound, Unavailable
from chassis.identity import requires_service
from chassis.openapi import answers
from chassis.paging import OperatorPage, decode_cursor, encode_cursor
from chassis.schemas import Answer
from chassis.settings import ChassisSettings

CONFIRM_S = 5.0

queue_routes = APIBlueprint("queue", __name__, url_prefix="/internal/queue")


class DeadLetters:
    """The dead-letter queue of one service. Each use is a short connection of its own."""

    def __init__(self, settings: ChassisSettings, publisher: Publisher) -> None:
        self._url, self._service, self._publisher = settings.events_url, settings.service, publisher
        self._alone = threading.Lock()  # what one reader has taken another one does not see

    def all(self) -> list[dict[str, Any]]:
        """Each once, in an order that stays: the queue's own is another one after each look. Those that no consumer has
        taken yet come first, as one: only their number can be known. Raises Unavailable.
        """
        with self._taken() as (messages, channel):
            found = [_described(message, self._service) for message in messages]
            waiting = channel.queue_declare(queue_name(self._service), passive=True).message_count
        found.sort(key=lambda item: (item["created_at"] or "", item["seq"]))
        return [_waiting(waiting, self._service), *found] if waiting else found

    def retry(self, identifier: str) -> None:
        """Put it into the queue again, with all its tries. Raises NotFound or Unavailable."""
        with self._taken() as (messages, channel):
            for message in messages:
                if message.properties.get("message_id") == identifier:
                    self._put_back(message)
                    channel.basic_ack(message.delivery_tag)
                    messages.remove(message)
                    return
        raise NotFound(f"no dead event is called {identifier}")

    @contextmanager
    def _taken(self) -> Iterator[tuple[list[Any], Channel]]:
        """All that are dead; those that are still in the list at the end are given back."""
        with self._channel() as channel:
            messages = []
            while (message := channel.basic_get(dead_name(self._service))) is not None:
                messages.append(message)
            try:
                yield messages, channel
            finally:  # at once; what the end of the connection gives back comes some time after it
                for message in messages:
                    channel.basic_reject(message.delivery_tag, requeue=True)

    def _put_back(self, message: Any) -> None:
        answer: list[str | None] = []
        answered = threading.Event()

        def done(error: str | None) -> None:
            answer.append(error)
            answered.set()

        headers = _headers(message) | {"tries": 0, "delays": 0}
        headers.setdefault("sender", message.properties.get("user_id", ""))
        properties = {k: v for k, v in message.properties.items() if k in ("message_id", "type")}
        properties["application_headers"] = headers
        self._publisher.publish(Publication(self._service, message.body, done, properties))
        if not answered.wait(CONFIRM_S) or answer[0] is not None:
            raise Unavailable("the broker has not confirmed it; try again")

    @contextmanager
    def _channel(self) -> Iterator[Channel]:
        with self._alone:
            try:
                connection = connect(self._url)
                try:
                    channel = connection.channel()
                    declare(channel, [self._service])  # whoever looks before the first consumer finds nothing waiting
                    yield channel
                finally:
                    connection.close()
            except (OSError, AMQPError) as error:
                raise Unavailable("the broker cannot be used now; try again") from error


def _headers(message: Any) -> dict[str, Any]:
    return dict(message.properties.get("application_headers") or {})


def _waiting(count: int, service: str) -> dict[str, Any]:
    return {
        "seq": "waiting", "id": "", "type": f"{count} events", "subject": "", "subscriber": service,
        "state": "pending", "tries": 0, "last_error": None, "created_at": None,
    }  # fmt: skip


def _described(message: Any, service: str) -> dict[str, Any]:
    """As the outbox describes a delivery. What is in the body may be anything."""
    try:
        body = json.loads(message.body)
    except ValueError:
        body = {}
    told = partial(body.get) if isinstance(body, dict) else lambda _name: None
    headers = _headers(message)
    return {
        "seq": message.properties.get("message_id", ""),
        "id": str(told("id") or ""),
        "type": str(told("type") or "?"),
        "subject": str(told("subject") or "?"),
        "subscriber": service,
        "state": "dead",
        "tries": int(headers.get("tries", 0)),
        "last_error": str(headers.get("last_error", "its consumers died over it")),
        "created_at": told("time"),
    }


class WaitingAnswer(Answer):
    seq: str
    id: str
    type: str
    subject: str
    subscriber: str
    state: str
    tries: int
    last_error: str | None
    created_at: str | None


class QueueAnswer(Answer):
    items: list[WaitingAnswer]
    next: str | None


@queue_routes.get("")
@requires_service()
@queue_routes.input(OperatorPage, location="query")
@answers(QueueAnswer)
def list_queue(query_data: OperatorPage) -> dict[str, Any]:
    """How many events wait for this service at the broker, and which are dead."""
    letters: DeadLetters = current_app.extensions["souk.dead_letters"]
    offset = max(0, decode_cursor(query_data.cursor, int)) if query_data.cursor else 0
    end, found = offset + query_data.limit, letters.all()
    following = encode_cursor(end) if len(found) > end else None
    return {"items": found[offset:end], "next": following}


@queue_routes.post("/<identifier>/retry")
@requires_service()
@answers(None, 204)
def retry(identifier: str) -> tuple[str, int]:
    """Let a dead event come once more, with all its tries."""
    letters: DeadLetters = current_app.extensions["souk.dead_letters"]
    letters.retry(identifier)
    return "", 204


def use_dead_letters(app: Flask, settings: ChassisSettings, publisher: Publisher) -> None:
    app.extensions["souk.dead_letters"] = DeadLetters(settings, publisher)
    app.register_blueprint(queue_routes)
