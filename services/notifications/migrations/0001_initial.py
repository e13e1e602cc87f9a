"""The first tables of notifications."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime
from chassis.tables_v1 import create_inbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("messages_of_user", "messages", ["user_id", "at", "id"])
    create_inbox()
