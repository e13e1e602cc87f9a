"""The charges, and how the bank behaves."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "charges",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(128), nullable=False, unique=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("card_last4", sa.String(4), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("refund_key", sa.String(128), unique=True),
        sa.Column("refunded_at", UtcDateTime),
    )
    op.create_table(
        "behaviour",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("latency_ms", sa.Integer, nullable=False),
        sa.Column("failure_rate", sa.Float, nullable=False),
        sa.Column("decline_rate", sa.Float, nullable=False),
        sa.Column("away", sa.Boolean, nullable=False),
        sa.Column("answer_after_ms", sa.Integer, nullable=False),
    )
