"""An order is one row: its lines and the times of its states move into it."""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

from chassis.database import UtcDateTime

revision = "0002"
down_revision = "0001"

_orders = sa.table("orders", sa.column("lines", sa.JSON), *map(sa.column, ("id", "reserved_at", "ended_at")))
_lines = sa.table("order_lines", *map(sa.column, ("order_id", "sku", "name", "quantity", "price_cents")))
_history = sa.table("order_history", *map(sa.column, ("order_id", "seq", "at")))


def upgrade() -> None:
    op.add_column("orders", sa.Column("lines", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("orders", sa.Column("reserved_at", UtcDateTime))
    op.add_column("orders", sa.Column("ended_at", UtcDateTime))
    op.execute(_orders.update().values(reserved_at=_when(1), ended_at=_when(2)))
    _move_lines(op.get_bind())
    op.drop_table("order_history")
    op.drop_table("order_lines")


def _when(seq: int) -> sa.ScalarSelect[object]:
    its = (_history.c.order_id == _orders.c.id, _history.c.seq == seq)
    return sa.select(_history.c.at).where(*its).scalar_subquery()


def _move_lines(connection: sa.Connection) -> None:
    rows = connection.execute(_lines.select().order_by(_lines.c.order_id, _lines.c.sku)).mappings().all()
    values = [
        {"order": order_id, "new": [{name: line[name] for name in line if name != "order_id"} for line in lines]}
        for order_id, lines in groupby(rows, lambda line: line["order_id"])
    ]
    if values:
        its = _orders.c.id == sa.bindparam("order")
        connection.execute(_orders.update().where(its).values(lines=sa.bindparam("new", type_=sa.JSON)), values)
