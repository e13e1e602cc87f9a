from alembic import command
from sqlalchemy import bindparam, text

from chassis import idempotency, inbox, outbox
from chassis.database import Database, UtcDateTime, utc_now
from chassis.migrate import alembic_config, upgrade
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases
from orders.models import Base
from orders.schemas import order_answer
from orders.transitions import orders

_ORDER = text(
    "INSERT INTO orders (id, customer_id, state, total_cents, currency, deadline, created_at)"
    " VALUES (:id, 'user-1', 'CONFIRMED', 1400, 'EUR', :now, :now)"
).bindparams(bindparam("now", type_=UtcDateTime))
_LINE = text("INSERT INTO order_lines VALUES (:id, :sku, 'Fine', 2, 350)")
_STEP = text("INSERT INTO order_history VALUES (:id, :seq, :state, :now)").bindparams(
    bindparam("now", type_=UtcDateTime)
)
TABLES = (Base.metadata, outbox.metadata, inbox.metadata, idempotency.metadata)


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("orders", database_url, *TABLES) == []
    assert schema_drift("orders", database_url, *TABLES) == []


@on_both_databases
def test_an_order_keeps_its_lines_and_its_history_when_they_move_into_its_row(database_url):
    command.upgrade(alembic_config("orders", database_url), "0001")
    database, now = Database(database_url), utc_now()
    with database.transaction() as session:
        for id_, states in (("o-1", ["PENDING"]), ("o-2", ["PENDING", "RESERVED", "CONFIRMED"])):
            order = {"id": id_, "now": now}
            session.execute(_ORDER, order)
            for sku in ("TEA", "LAMP"):
                session.execute(_LINE, {"id": id_, "sku": sku})
            for seq, state in enumerate(states):
                session.execute(_STEP, {**order, "seq": seq, "state": state})
    upgrade("orders", database_url)
    with database.read() as connection:
        first, second = connection.execute(orders.select().order_by(orders.c.id)).mappings()
    database.engine.dispose()
    fine = {"name": "Fine", "quantity": 2, "price_cents": 350}
    assert first["lines"] == second["lines"] == [{"sku": "LAMP", **fine}, {"sku": "TEA", **fine}]
    assert (first["reserved_at"], first["ended_at"]) == (None, None)
    assert [step["state"] for step in order_answer(second)["history"]] == ["PENDING", "RESERVED", "CONFIRMED"]
    assert second["ended_at"] == now
