from chassis import inbox
from chassis.testing import schema_drift
from notifications.models import Base


def test_the_migrations_make_what_the_code_declares(tmp_path):
    url = f"sqlite:///{tmp_path}/notifications.db"
    assert schema_drift("notifications", url, Base.metadata, inbox.metadata) == []
