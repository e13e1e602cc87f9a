"""Looking into the outbox: what is undelivered, what is dead, and one more try for it. For operators' tools."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field
from sqlalchemy import select, update

from chassis.database import app_database
from chassis.errors import NotFound
from chassis.identity import requires_service
from chassis.openapi import answers
from chassis.outbox import deliveries
from chassis.paging import OperatorPage, decode_cursor, paged
from chassis.schemas import Answer, utc_text

outbox_routes = APIBlueprint("outbox", __name__, url_prefix="/internal/events")
LARGEST = 2**63 - 1  # what a column takes


class EventsQuery(OperatorPage):
    state: Literal["pending", "dead"] = Field(default="pending")


class DeliveryAnswer(Answer):
    seq: int
    id: str
    type: str
    subject: str
    subscriber: str
    state: Literal["pending", "dead"]
    tries: int
    last_error: str | None
    created_at: datetime


class DeliveriesAnswer(Answer):
    items: list[DeliveryAnswer]
    next: str | None


@outbox_routes.get("")
@requires_service()
@outbox_routes.input(EventsQuery, location="query")
@answers(DeliveriesAnswer)
def list_events(query_data: EventsQuery) -> dict[str, Any]:
    """Deliveries that are not done, oldest first."""
    columns: list[Any] = [
        deliveries.c[name] for name in ("seq", "type", "subject", "subscriber", "state", "tries", "last_error")
    ]
    columns += [deliveries.c.event_id.label("id"), deliveries.c.created_at]
    statement = select(*columns).where(deliveries.c.state == query_data.state)
    if query_data.cursor:
        statement = statement.where(deliveries.c.seq > decode_cursor(query_data.cursor, int))
    with app_database().reading() as session:
        rows = session.execute(statement.order_by(deliveries.c.seq).limit(query_data.limit + 1)).mappings().all()
    page, following = paged(rows, query_data.limit, lambda row: row["seq"])
    items = [{**row, "created_at": utc_text(row["created_at"])} for row in page]
    return {"items": items, "next": following}


@outbox_routes.post("/<int:seq>/retry")
@requires_service()
@answers(None, 204)
def retry(seq: int) -> tuple[str, int]:
    """Make a dead delivery pending again, with all its tries."""
    if seq > LARGEST:
        raise NotFound("no dead event has a number of more than 64 bits")
    fresh = {"state": "pending", "tries": 0, "not_before": None, "claimed_until": None}
    with app_database().transaction() as session:
        where = (deliveries.c.seq == seq, deliveries.c.state == "dead")
        result = session.execute(update(deliveries).where(*where).values(fresh).returning(deliveries.c.seq))
        if result.first() is None:
            raise NotFound(f"no dead event with the number {seq}")
    app_database().outbox.wake()
    return "", 204
