"""The chassis' own tables as a service's first migration creates them.

A migration must always do the same, so this file never changes: what the tables become later is a `tables_v2`.
A test compares the result of all migrations with the tables that the code declares.
"""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime


def create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("subscriber", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("not_before", UtcDateTime),
        sa.Column("claimed_until", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_stream", "outbox", ["state", "subscriber", "subject", "seq"])
    op.create_index("outbox_by_subject", "outbox", ["subject"])


def create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("event_id", sa.String(64), primary_key=True),
        sa.Column("received_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])


def create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("route", sa.String(128), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("location", sa.String(255)),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
