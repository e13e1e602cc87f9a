"""Deliveries by hand, past the relays: read from the outboxes, written into them, or given to a subscriber."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from kombu import Connection, Exchange
from sqlalchemy import Connection as Database
from sqlalchemy import select, update

from bench.combined import Combined
from bench.system import eventually
from chassis.broker_topology import EVENTS, dead_name
from chassis.database import utc_now
from chassis.engines import make_engine
from chassis.outbox import deliveries
from chassis.service_tokens import ServiceTokens

EMITTERS = ("inventory", "orders", "payments")
Letter = tuple[str, str, str]  # emitter, subscriber, body


@contextmanager
def outbox_of(system: Combined, service: str) -> Iterator[Database]:
    """A transaction on a service's database."""
    engine = make_engine(system.database_url(service))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def about(system: Combined, subject: str) -> list[Letter]:
    """Every delivery about an order, as they stand in the outboxes."""
    found: list[Letter] = []
    columns = deliveries.c.subscriber, deliveries.c.body
    for emitter in EMITTERS:
        with outbox_of(system, emitter) as connection:
            rows = connection.execute(
                select(*columns).where(deliveries.c.subject == subject).order_by(deliveries.c.seq)
            )
            found += [(emitter, subscriber, body) for subscriber, body in rows]
    return found


def write(system: Combined, emitter: str, subscriber: str, event: dict[str, Any]) -> int:
    """Put an event into an outbox, as a release with a mistake in it would; its number."""
    row = {name: event[name] for name in ("type", "subject")} | {"event_id": event["id"], "body": json.dumps(event)}
    row |= {"subscriber": subscriber, "state": "pending", "tries": 0, "created_at": utc_now()}
    with outbox_of(system, emitter) as connection:
        return int(connection.execute(deliveries.insert().values(row).returning(deliveries.c.seq)).scalar_one())


def rewrite(system: Combined, emitter: str, seq: int, event: dict[str, Any]) -> None:
    """Mend what stands in an outbox."""
    with outbox_of(system, emitter) as connection:
        connection.execute(update(deliveries).where(deliveries.c.seq == seq).values(body=json.dumps(event)))


def place_of(system: Combined, emitter: str, subscriber: str, seq: int) -> tuple[str, str]:
    """Where a dead delivery is found: the service and what it is called there."""
    return (emitter, str(seq)) if system.combination.events == "push" else (subscriber, f"{emitter}-{seq}")


def throw_away_dead(system: Combined, subscriber: str) -> None:
    """What is dead at the broker, as an operator does who knows that nobody needs it."""
    with Connection(system.env["EVENTS_URL"]) as connection:
        connection.default_channel.queue_purge(dead_name(subscriber))


def deliver(system: Combined, emitter: str, subscriber: str, body: str) -> None:
    """Give an event to its subscriber once more, as the emitter would. Raises AssertionError if it is not taken."""
    if system.combination.events == "rabbitmq":
        _publish(system, subscriber, body)
    else:
        _post(system, emitter, subscriber, body)


def _post(system: Combined, emitter: str, subscriber: str, body: str) -> None:
    (address, *_) = system.registered(subscriber).values()
    token = ServiceTokens(emitter, system.home / "keys" / "service.keys").sign(subscriber)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{address}/events", data=body, headers=headers, timeout=30)
    assert answer.status_code == 204, answer.text


def _publish(system: Combined, subscriber: str, body: str) -> None:
    url = system.env["EVENTS_URL"]
    before = _taken(system, subscriber, body)
    with Connection(url) as connection:
        connection.Producer().publish(
            body.encode(), exchange=Exchange(EVENTS, "direct"), routing_key=subscriber, delivery_mode=2,
            content_type="application/cloudevents+json", user_id=connection.userid,
        )  # fmt: skip
    eventually(lambda: _taken(system, subscriber, body) > before)


def _taken(system: Combined, subscriber: str, body: str) -> int:
    """How often the subscriber has taken an event of this type about this subject."""
    event = json.loads(body)
    what = {"event": "event", "status": 204, "type": event["type"], "subject": event["subject"]}
    return sum(what.items() <= line.items() for line in system.logs(subscriber))
