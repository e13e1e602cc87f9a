"""`python -m SERVICE wait` ends when the database is migrated, by whomever."""

import threading

import pytest
from sqlalchemy import text

from chassis import migrate
from chassis.engines import make_engine
from chassis.testing import eventually
from chassis.testing_postgres import on_both_databases


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(migrate, "LOOK_S", 0.01)


@pytest.fixture
def waiting():
    """Starts to wait in a thread, and gives it."""
    threads = []

    def start(url):
        threads.append(threading.Thread(target=migrate.wait, args=("carts", url), daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


@on_both_databases
def test_it_waits_until_the_database_is_migrated(database_url, waiting, monkeypatch):
    looks = []
    monkeypatch.setattr(migrate, "_revision", lambda engine, look=migrate._revision: looks.append(1) or look(engine))
    thread = waiting(database_url)
    eventually(lambda: len(looks) > 2)
    assert thread.is_alive()
    migrate.upgrade("carts", database_url)


def test_a_database_that_is_migrated_is_not_waited_for(database_url):
    migrate.upgrade("carts", database_url)
    migrate.wait("carts", database_url)


def test_that_of_a_later_version_will_do(database_url):
    migrate.upgrade("carts", database_url)
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    migrate.wait("carts", database_url)


def test_a_server_that_is_not_there_yet_is_waited_for(waiting, monkeypatch, database_url, capsys):
    engines = [make_engine("postgresql://nobody@127.0.0.1:1/nothing"), make_engine(database_url)]
    monkeypatch.setattr(migrate, "make_engine", lambda url, patient: engines[0])
    look = migrate._revision
    monkeypatch.setattr(migrate, "_revision", lambda _engine: look(engines[0]))
    waiting("postgresql://nobody@127.0.0.1:1/nothing")
    eventually(lambda: "does not answer yet" in capsys.readouterr().out)
    migrate.upgrade("carts", database_url)
    engines.pop(0)
