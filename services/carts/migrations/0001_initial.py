"""The first tables of carts."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime
from chassis.tables_v1 import create_inbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("carts", sa.Column("customer_id", sa.String(64), primary_key=True))
    op.create_table(
        "cart_lines",
        sa.Column("customer_id", sa.String(64), sa.ForeignKey("carts.customer_id"), primary_key=True),
        sa.Column("sku", sa.String(32), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price_cents", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
    )
    create_inbox()
