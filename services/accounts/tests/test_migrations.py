from accounts.models import Base
from chassis import outbox
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("accounts", database_url, Base.metadata, outbox.metadata) == []
    assert schema_drift("accounts", database_url, Base.metadata, outbox.metadata) == []


def test_a_missing_table_would_be_noticed(tmp_path):
    drift = schema_drift("accounts", f"sqlite:///{tmp_path}/accounts.db", Base.metadata)
    assert ("remove_table", "outbox") in [(change[0], getattr(change[1], "name", "")) for change in drift]
