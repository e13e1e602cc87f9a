from chassis import idempotency, inbox, outbox
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases
from orders.models import Base

TABLES = (Base.metadata, outbox.metadata, inbox.metadata, idempotency.metadata)


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("orders", database_url, *TABLES) == []
    assert schema_drift("orders", database_url, *TABLES) == []
