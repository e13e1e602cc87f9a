from chassis import inbox, outbox
from chassis.migrate import upgrade
from chassis.testing import schema_drift
from payments.models import Base


def test_the_migrations_make_what_the_code_declares(tmp_path):
    url = f"sqlite:///{tmp_path}/payments.db"
    upgrade("payments", url)
    assert schema_drift("payments", url, Base.metadata, outbox.metadata, inbox.metadata) == []
