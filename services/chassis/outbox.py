"""Events out: written in the transaction of the change, so that neither exists without the other.

The pattern is the transactional outbox (Richardson, "Microservices Patterns", chapter 3). One row is one
delivery: an event for one subscriber. An absent subscriber therefore delays only itself. `chassis.relay`
sends the rows.
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    case,
    delete,
    exists,
    insert,
)

from chassis import faults
from chassis.database import Transaction, UtcDateTime, after_commit, unit_of
from chassis.prepared import Prepared
from chassis.trace import current_trace

metadata = MetaData()
CLAIM_S = 2.0

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


@dataclass(frozen=True)
class Delivery:
    """A row that this replica has claimed until `claim_ends` on its monotonic clock: nobody else sends it meanwhile."""

    seq: int
    subscriber: str
    type: str
    body: str
    tries: int
    created_at: datetime
    traceparent: str | None = None  # of what made the event, where that is known without looking into the body
    claim_ends: float = field(default_factory=lambda: time.monotonic() + CLAIM_S)

    @property
    def is_claimed(self) -> bool:
        return time.monotonic() <= self.claim_ends

    @property
    def trace(self) -> str:
        """The traceparent of what made the event."""
        return self.traceparent or json.loads(self.body).get("traceparent") or ""


# A delivery is born claimed by the replica that writes it, which sends it right after the commit: a claim of its own
# would be a second transaction. Not so behind an earlier one of the same stream; that waits for a round of the relay.
_stream = deliveries.alias("stream")
_in_line = exists().where(
    _stream.c.state == "pending",
    _stream.c.subscriber == bindparam("to"),
    _stream.c.subject == bindparam("about"),
)
_INSERT = Prepared(
    insert(deliveries)
    .values(claimed_until=case((_in_line, None), else_=bindparam("until", type_=UtcDateTime)))
    .returning(deliveries.c.seq, deliveries.c.claimed_until)
)
_WITHDRAW = Prepared(
    delete(deliveries).where(deliveries.c.subject == bindparam("about"), deliveries.c.type == bindparam("what"))
)


def publish(transaction: Transaction, type_: str, subject: str, data: Mapping[str, Any]) -> None:
    """Write a CloudEvent (1.0, JSON) for everybody who subscribes to `type_`, in the caller's transaction.

    subject: what the event is about (an order id, a sku, a user id); events of one subject keep their order.
    Nothing is written when nobody subscribes.
    """
    unit = unit_of(transaction)
    outbox = unit.info["outbox"]
    if outbox is None or not (subscribers := outbox.routes.get(type_)):
        return
    now, trace, event_id = outbox.database.now(), current_trace.get(), str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": event_id,
        "type": type_,
        "source": f"/{outbox.service}",
        "subject": subject,
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "traceparent": trace.header() if trace else None,
        "data": dict(data),
    }
    body = json.dumps(event)
    row = {"event_id": event_id, "type": type_, "subject": subject, "body": body, "created_at": now}
    row |= {"state": "pending", "tries": 0}
    claimed, waiting = [], False
    for name in subscribers:
        values = row | {"subscriber": name, "to": name, "about": subject, "until": outbox.claim_until(type_, name, now)}
        (written,) = _INSERT.rows(unit, values)
        if written["claimed_until"] is None:
            waiting = True
        else:
            claimed.append(Delivery(written["seq"], name, type_, body, 0, now, event["traceparent"]))
    faults.point("outbox.written")
    after_commit(unit, lambda: outbox.committed(claimed, waiting))


def withdraw(transaction: Transaction, type_: str, subject: str) -> None:
    """Delete an event's deliveries, sent or not: for events whose data must not outlive their purpose."""
    _WITHDRAW.run(unit_of(transaction), {"about": subject, "what": type_})
