"""Events in: `POST /events` takes CloudEvents, one or a batch of them, each of which has its effect once.

The inbox remembers (source, id) in the transaction of the effect: the idempotent consumer (Richardson,
"Microservices Patterns", chapter 3). A second delivery of the same event finds its row and does nothing, so
"at least once" on the wire becomes "exactly once" in the database.
"""

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Flask, current_app
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, ValidationError
from sqlalchemy import Column, MetaData, String, Table

from chassis import faults
from chassis.database import Transaction, UtcDateTime, utc_now
from chassis.errors import Unprocessable
from chassis.identity import requires_service
from chassis.inserting import insert_new
from chassis.openapi import answers, takes
from chassis.settings import ChassisSettings
from chassis.telemetry import log
from chassis.trace import current_trace, parse_traceparent
from chassis.web import note

metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False, index=True),
)


class Event(BaseModel):
    """A CloudEvent 1.0. Members that we do not know are ignored: events evolve by adding."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=64)
    type: str = Field(min_length=1, max_length=64)
    source: str = Field(min_length=1, max_length=64)
    subject: str = Field(min_length=1, max_length=64)
    time: AwareDatetime
    traceparent: str | None = None
    data: dict[str, Any]


MOST_IN_A_BATCH = 100
Batch = Annotated[list[Event], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


class Events(RootModel[Event | Batch]):
    """One event, or a batch (CloudEvents 1.0, JSON format, section 4)."""


Handlers = Mapping[str, Callable[[Event], None]]


def first_delivery(transaction: Transaction, event: Event) -> bool:
    """Record the event in the transaction of its effect. False: its effect is there already, so do nothing."""
    row = {"source": event.source, "event_id": event.id, "received_at": utc_now()}
    is_first = insert_new(transaction, inbox, row)
    faults.point("inbox.recorded")
    return is_first


events_routes = APIBlueprint("events", __name__)


@events_routes.post("/events")
@requires_service()
@takes(Events)
@answers(None, 204, "it has had its effect")
def receive(json_data: Events) -> tuple[str, int]:
    """204 once each event's effect is committed, for a repeated delivery too; 422 for a type without a handler.

    What is before the first event that is refused has had its effect; nothing behind it is looked at.
    """
    handlers, events = current_app.extensions["souk.handlers"], json_data.root
    if isinstance(events, list):
        for event in events:
            _take_of_many(handlers, event)
        note(events=len(events))
    else:
        note(**_names(events))
        take(handlers, events)
    return "", 204


def _take_of_many(handlers: Handlers, event: Event) -> None:
    """As if it had come alone: with its own trace and its own line in the log."""
    request_trace, began = current_trace.get(), time.perf_counter()
    current_trace.set(parse_traceparent(event.traceparent or "") or request_trace)
    try:
        take(handlers, event)
        ms, instance = round((time.perf_counter() - began) * 1000, 1), current_app.extensions["souk.instance"]
        log.info("event", ms=ms, instance=instance, **_names(event))
    finally:
        current_trace.set(request_trace)


def _names(event: Event) -> dict[str, str]:
    return {"type": event.type, "subject": event.subject, "source": event.source}


def take(handlers: Handlers, event: Event) -> None:
    """Let the event have its effect, however it came. Returns once that is committed.

    Raises Unprocessable for a type without a handler, or for data that is not as agreed.
    """
    handler = handlers.get(event.type)
    if handler is None:
        raise Unprocessable(f"nothing here consumes events of type {event.type!r}")
    faults.point("inbox.received")
    try:
        handler(event)
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        raise Unprocessable(f"the data of this {event.type} is not as agreed", errors=fields) from error
    faults.point("inbox.handled")


def use_inbox(app: Flask, handlers: Handlers) -> None:
    """Accept events; each type goes to one handler, which owns its transaction and calls `first_delivery` in it."""
    app.extensions["souk.handlers"] = handlers
    app.register_blueprint(events_routes)
    settings: ChassisSettings = app.extensions["souk.settings"]
    if settings.events_url:
        from chassis import broker  # kombu is in memory only where there is a broker

        broker.consume(app, settings, handlers)
