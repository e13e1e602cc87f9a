from chassis import idempotency, inbox, outbox
from chassis.migrate import upgrade
from chassis.testing import schema_drift
from orders.models import Base


def test_the_migrations_make_what_the_code_declares(tmp_path):
    url = f"sqlite:///{tmp_path}/orders.db"
    upgrade("orders", url)
    assert schema_drift("orders", url, Base.metadata, outbox.metadata, inbox.metadata, idempotency.metadata) == []


def test_migrating_twice_changes_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/orders.db"
    upgrade("orders", url)
    upgrade("orders", url)
