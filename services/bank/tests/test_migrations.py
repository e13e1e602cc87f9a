from bank.models import Base
from chassis.testing import schema_drift
from chassis.testing_postgres import on_both_databases


@on_both_databases
def test_the_migrations_make_what_the_code_declares(database_url):
    assert schema_drift("bank", database_url, Base.metadata) == []
    assert schema_drift("bank", database_url, Base.metadata) == []
