"""The first tables of catalog."""

import sqlalchemy as sa
from alembic import op

from chassis.tables_v1 import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "products",
        sa.Column("sku", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.String(40), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("search", sa.Text, nullable=False),
    )
    op.create_index("products_by_category", "products", ["category", "sku"])
    create_outbox()
