from chassis import inbox, outbox
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases
from payments.models import Base


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("payments", database_url, Base.metadata, outbox.metadata, inbox.metadata) == []
    assert schema_drift("payments", database_url, Base.metadata, outbox.metadata, inbox.metadata) == []
