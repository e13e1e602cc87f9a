"""Cleaning up by age: what was needed once and is needed no more.

Every replica does it; deleting what is gone already does no harm.
"""

from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from sqlalchemy import ColumnElement, Table, delete, inspect
from sqlalchemy.orm import Session

from chassis import idempotency, inbox, outbox
from chassis.background import Periodic, add_background
from chassis.database import Database, utc_now
from chassis.settings import ChassisSettings

EVERY_S = 600


def use_housekeeping(
    app: Flask, settings: ChassisSettings, database: Database, *more: Callable[[Session], None]
) -> Periodic:
    """Delete sent events, inbox rows and idempotency keys by age, and whatever `more` deletes, every ten minutes."""

    def clean() -> None:
        present = set(inspect(database.engine).get_table_names())
        with database.transaction() as session:
            for table, condition in _too_old(settings.keep_days):
                if table.name in present:
                    session.execute(delete(table).where(condition))
            for task in more:
                task(session)

    periodic = Periodic("housekeeping", EVERY_S, clean)
    add_background(app, periodic)
    return periodic


def _too_old(keep_days: float) -> list[tuple[Table, ColumnElement[bool]]]:
    now = utc_now()
    events, keys = now - timedelta(days=keep_days), now - timedelta(hours=idempotency.KEEP_HOURS)
    sent = outbox.deliveries.c
    return [
        (outbox.deliveries, (sent.state == "sent") & (sent.sent_at < events)),
        (inbox.inbox, inbox.inbox.c.received_at < events),
        (idempotency.keys, idempotency.keys.c.created_at < keys),
    ]
