"""The first tables of inventory."""

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime
from chassis.tables_v1 import create_inbox, create_outbox

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "stock",
        sa.Column("sku", sa.String(32), primary_key=True),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.CheckConstraint("on_hand >= reserved AND reserved >= 0", name="never_oversold"),
    )
    op.create_table(
        "reservations",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("order_id", sa.String(64), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("missing_sku", sa.String(32)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_index("reservations_by_state", "reservations", ["state", "seq"])
    op.create_table(
        "movements",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("sku", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("on_hand_delta", sa.BigInteger, nullable=False),
        sa.Column("reserved_delta", sa.BigInteger, nullable=False),
        sa.Column("order_id", sa.String(64)),
        sa.Column("operator", sa.String(64)),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("movements_by_sku", "movements", ["sku", "seq"])
    op.create_index("movements_by_order", "movements", ["order_id", "seq"])
    create_outbox()
    create_inbox()
