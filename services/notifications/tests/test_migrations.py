from chassis import inbox
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases
from notifications.models import Base


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("notifications", database_url, Base.metadata, inbox.metadata) == []
    assert schema_drift("notifications", database_url, Base.metadata, inbox.metadata) == []
