"""Events out: written in the transaction of the change, so that neither exists without the other.

The pattern is the transactional outbox (Richardson, "Microservices Patterns", chapter 3). One row is one
delivery: an event for one subscriber. An absent subscriber therefore delays only itself. `chassis.relay`
sends the rows.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, delete, insert
from sqlalchemy.orm import Session

from chassis import faults
from chassis.database import UtcDateTime, after_commit, utc_now
from chassis.trace import current_trace

metadata = MetaData()

deliveries = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("event_id", String(36), nullable=False),
    Column("type", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("subscriber", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False, default="pending"),  # pending, sent, dead
    Column("tries", Integer, nullable=False, default=0),
    Column("last_error", Text),
    Column("not_before", UtcDateTime),
    Column("claimed_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Index("outbox_by_stream", "state", "subscriber", "subject", "seq"),
    Index("outbox_by_subject", "subject"),
)


def publish(session: Session, type_: str, subject: str, data: Mapping[str, Any]) -> None:
    """Write a CloudEvent (1.0, JSON) for everybody who subscribes to `type_`, in the caller's transaction.

    subject: what the event is about (an order id, a sku, a user id); events of one subject keep their order.
    Nothing is written when nobody subscribes.
    """
    outbox = session.info.get("outbox")
    if outbox is None or not (subscribers := outbox.routes.get(type_)):
        return
    now = utc_now()
    trace = current_trace.get()
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "type": type_,
        "source": f"/{outbox.service}",
        "subject": subject,
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "traceparent": trace.header() if trace else None,
        "data": dict(data),
    }
    row = {
        "event_id": event["id"],
        "type": type_,
        "subject": subject,
        "body": json.dumps(event),
        "created_at": now,
    }
    session.execute(insert(deliveries), [{**row, "subscriber": subscriber} for subscriber in subscribers])
    faults.point("outbox.written")
    after_commit(session, lambda: faults.point("outbox.committed"))
    after_commit(session, outbox.wake)


def withdraw(session: Session, type_: str, subject: str) -> None:
    """Delete an event's deliveries, sent or not: for events whose data must not outlive their purpose."""
    where = (deliveries.c.subject == subject, deliveries.c.type == type_)
    session.execute(delete(deliveries).where(*where))
