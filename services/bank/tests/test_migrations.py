from bank.models import Base
from chassis.migrate import upgrade
from chassis.testing import schema_drift


def test_the_migrations_make_what_the_code_declares(tmp_path):
    url = f"sqlite:///{tmp_path}/bank.db"
    upgrade("bank", url)
    assert schema_drift("bank", url, Base.metadata) == []
