"""Payments, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime
from chassis.tables_v1 import create_inbox, create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox()
    create_inbox()
    op.create_table(
        "payments",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64)),
        sa.Column("amount_cents", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("card", sa.String(19)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("in_doubt", sa.Boolean, nullable=False),
        sa.Column("claim", sa.String(36)),
        sa.Column("claimed_until", UtcDateTime),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("traceparent", sa.String(64)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("payments_due", "payments", ["state", "next_at"])
