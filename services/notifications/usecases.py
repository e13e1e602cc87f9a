"""What happens to messages: they are written because of events, and read by their owner."""

import uuid

from sqlalchemy import insert, select, tuple_

from chassis.database import Database
from chassis.inbox import Event, first_delivery
from chassis.paging import decode_moment, paged
from chassis.prepared import Prepared
from notifications import domain
from notifications.domain import Words
from notifications.models import Message
from notifications.schemas import AccountRegistered, OrderEnded

_WRITE = Prepared(insert(Message.__table__))


def welcome(database: Database, event: Event) -> None:
    account = AccountRegistered.model_validate(event.data)
    write(database, event, account.user_id, domain.welcome(account.name))


def tell_confirmed(database: Database, event: Event) -> None:
    order = OrderEnded.model_validate(event.data)
    words = domain.confirmed(order.order_id, order.total_cents, order.currency)
    write(database, event, order.customer_id, words)


def tell_cancelled(database: Database, event: Event) -> None:
    order = OrderEnded.model_validate(event.data)
    words = domain.cancelled(order.order_id, order.total_cents, order.currency, order.reason)
    write(database, event, order.customer_id, words)


def write(database: Database, event: Event, user_id: str, words: Words) -> None:
    """Keep a message about an event, unless that was done before."""
    message = {"id": str(uuid.uuid4()), "user_id": user_id, "at": event.time, **vars(words)}
    with database.write() as connection:
        if first_delivery(connection, event):
            _WRITE.run(connection, message)


def list_messages(database: Database, user_id: str, limit: int, cursor: str | None) -> tuple[list[Message], str | None]:
    """A page of a user's messages, newest first, and the next cursor."""
    statement = select(Message).where(Message.user_id == user_id)
    if cursor is not None:
        statement = statement.where(tuple_(Message.at, Message.id) < decode_moment(cursor))
    statement = statement.order_by(Message.at.desc(), Message.id.desc()).limit(limit + 1)
    with database.reading() as session:
        rows = session.scalars(statement).all()
    return paged(rows, limit, lambda message: [message.at.isoformat(), message.id])
