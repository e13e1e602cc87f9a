"""Messages from the broker: each goes to the handlers of `POST /events`, and is acknowledged after their commit.

What they refuse is published again, to the end of the same queue, before it is acknowledged: so the count of tries
survives this process, and nothing that is behind it waits for it. After EVENT_MAX_TRIES it goes to the dead-letter
queue in the same way. Until then the broker keeps it, and gives it to another replica when this one dies; the inbox
makes that harmless.
"""

import heapq
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask

from chassis import deadline, faults
from chassis.background import Crew
from chassis.broker_link import Channel, Link
from chassis.broker_publisher import Publication, Publisher
from chassis.broker_topology import DEAD, EVENTS, declare, queue_name
from chassis.errors import BadRequest, Forbidden, Problem
from chassis.inbox import Event, Handlers, take
from chassis.schemas import parsed
from chassis.settings import ChassisSettings
from chassis.telemetry import log
from chassis.trace import current_trace, new_trace, parse_traceparent

HANDLERS = 4  # messages that are worked on at once
PREFETCH = 32  # and that are kept here, those that wait for their next try with them
MAX_BACK_OFF_S = 2.0
FINISH_S = 5.0  # at the end, for what is under way
PASSING = (429, 502, 503, 504)  # nobody's fault, and no try


@dataclass(frozen=True)
class Refusal:
    """Why a message has had no effect. counts: it is a try; final: no further one can help."""

    error: str
    counts: bool
    final: bool = False


@dataclass(order=True)
class Held:
    """A refused message until its back-off is over."""

    due: float
    message: Any = field(compare=False)
    refusal: Refusal = field(compare=False)


class Consumer:
    """Takes from the queue of this service, with as many replicas as there are."""

    def __init__(self, app: Flask, settings: ChassisSettings, publisher: Publisher, handlers: Handlers) -> None:
        self._app, self._settings, self._publisher, self._handlers = app, settings, publisher, handlers
        self._user = unquote(urlsplit(settings.events_url).username or "guest")
        self._link = Link("consumer", settings.events_url, self._opened, self._work, self._lost)
        self._crew = Crew("events", HANDLERS, self._handle)
        self._to_do: SimpleQueue[Callable[[], None]] = SimpleQueue()  # for the link's thread
        self._held: list[Held] = []
        self._under_way = 0  # counted by the link's thread alone
        self._channel: Channel = None
        self._leaving = False

    def start(self) -> None:
        self._leaving = False
        self._crew.start()
        self._link.start()

    @property
    def ready(self) -> bool:
        """Whether it takes messages."""
        return self._link.up and not self._leaving

    def drain(self) -> None:
        """Take nothing more; what is here already is finished."""
        self._leaving = True
        self._ask(self._cancel)

    def stop(self) -> None:
        self.drain()
        ends_at = time.monotonic() + FINISH_S
        while self._link.up and self._under_way > len(self._held) and time.monotonic() < ends_at:
            time.sleep(0.02)
        self._link.stop()  # the broker gives what is held to another replica
        self._crew.stop()

    # --- in the link's thread

    def _opened(self, channel: Channel) -> None:
        declare(channel, [self._settings.service])
        self._channel = channel
        channel.basic_qos(0, PREFETCH, False)
        if not self._leaving:
            channel.basic_consume(queue_name(self._settings.service), consumer_tag="events", callback=self._arrived)

    def _arrived(self, message: Any) -> None:
        self._under_way += 1
        self._crew.give(message)

    def _work(self) -> float:
        while (task := self._next()) is not None:
            task()
        while self._held and self._held[0].due <= time.monotonic():
            self._put_back(heapq.heappop(self._held))
        return self._held[0].due - time.monotonic() if self._held else 1.0

    def _next(self) -> Callable[[], None] | None:
        try:
            return self._to_do.get_nowait()
        except Empty:
            return None

    def _lost(self, _why: str) -> None:
        """The broker gives everything that was not acknowledged to somebody once more."""
        self._held.clear()
        self._under_way = 0
        self._channel = None

    def _cancel(self) -> None:
        self._channel.basic_cancel("events")

    def _finish(self, message: Any) -> None:
        if message.channel is self._channel:  # else it came by a connection that is lost, and comes again
            self._channel.basic_ack(message.delivery_tag)
            self._under_way -= 1

    def _hold(self, message: Any, refusal: Refusal) -> None:
        if message.channel is self._channel:
            waits_s = 0.0 if refusal.final else _back_off_s(message, refusal)
            heapq.heappush(self._held, Held(time.monotonic() + waits_s, message, refusal))

    def _put_back(self, held: Held) -> None:
        message, refusal = held.message, held.refusal
        tries = _header(message, "tries") + refusal.counts
        dead = refusal.final or tries >= self._settings.event_max_tries
        headers = {
            "tries": tries,
            "delays": _header(message, "delays") + 1,
            "last_error": refusal.error,
            "sender": self._sender(message),
        }
        properties = {k: v for k, v in message.properties.items() if k in ("message_id", "type")}
        properties.setdefault("message_id", uuid.uuid4().hex)  # by which it can be retried
        if dead:
            log.error("an event is dead", id=properties["message_id"], error=refusal.error)
        self._publisher.publish(
            Publication(
                self._settings.service,
                message.body,
                partial(self._was_put_back, held),
                properties | {"application_headers": headers},
                exchange=DEAD if dead else EVENTS,
            )
        )

    # --- in other threads

    def _ask(self, task: Callable[[], None]) -> None:
        self._to_do.put(task)
        self._link.wake()

    def _was_put_back(self, held: Held, error: str | None) -> None:
        done = partial(self._finish, held.message) if error is None else partial(self._hold, held.message, held.refusal)
        self._ask(done)

    def _handle(self, message: Any) -> None:
        refusal = self._try(message)
        if refusal is None:
            self._ask(partial(self._finish, message))
        else:
            self._ask(partial(self._hold, message, refusal))

    def _try(self, message: Any) -> Refusal | None:
        began, noted = time.perf_counter(), {}
        status, refusal = 204, None
        try:
            faults.break_work()
            event = self._read(message)
            noted = {"type": event.type, "subject": event.subject, "source": event.source}
            current_trace.set(parse_traceparent(event.traceparent or "") or new_trace())
            deadline.set_deadline(self._settings.request_timeout_ms)
            with self._app.app_context():
                take(self._handlers, event)
        except Problem as problem:
            status = problem.status
            refusal = Refusal(f"{status}: {problem.detail}", status not in PASSING, isinstance(problem, Forbidden))
        except Exception as error:
            log.exception("unexpected error", id=message.properties.get("message_id"))
            status, refusal = 500, Refusal(f"500: {type(error).__name__}", counts=True)
        finally:
            deadline.set_deadline(None)
        ms = round((time.perf_counter() - began) * 1000, 1)
        log.info("event", status=status, ms=ms, instance=self._app.extensions["souk.instance"], **noted)
        return refusal

    def _read(self, message: Any) -> Event:
        """Raises BadRequest, Unprocessable or Forbidden."""
        current_trace.set(new_trace())
        try:
            value = self._app.json.loads(message.body)
        except ValueError as error:
            raise BadRequest("this is not JSON") from error
        event = parsed(Event, value)
        sender = self._sender(message)
        if sender not in (self._user, event.source.strip("/")):
            raise Forbidden(f"{sender or 'nobody'} may not speak for {event.source}")
        return event

    def _sender(self, message: Any) -> str:
        """The user whose connection published it, which the broker has verified. What we put back ourselves says so."""
        user = message.properties.get("user_id", "")
        headers = message.properties.get("application_headers") or {}
        return str(headers.get("sender", user)) if user == self._user else user


def _header(message: Any, name: str) -> int:
    value = (message.properties.get("application_headers") or {}).get(name, 0)
    return value if isinstance(value, int) else 0


def _back_off_s(message: Any, refusal: Refusal) -> float:
    count = _header(message, "tries" if refusal.counts else "delays")
    return min(MAX_BACK_OFF_S, 0.1 * 2 ** min(count, 6))
