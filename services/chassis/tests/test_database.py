import socket
import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from chassis import database as chassis_database
from chassis import engines
from chassis.database import Database, UtcDateTime, utc_now
from chassis.errors import Unavailable
from chassis.testing_postgres import postgres_database
from chassis.tests.toy import add, counts, toy_app, value


def test_sqlite_runs_in_wal_and_syncs_every_commit(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.reading() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 8_000


def test_a_readers_view_does_not_wait_for_a_writer(tmp_path):
    app = toy_app(tmp_path)
    database = app.extensions["souk.database"]
    add(database, "apples")
    with database.transaction() as writer:
        writer.execute(counts.update().values(value=9))
        with database.reading() as reader:
            assert reader.scalar(select(counts.c.value)) == 1


def test_what_is_written_in_a_reading_is_not_kept(tmp_path):
    app = toy_app(tmp_path)
    database = app.extensions["souk.database"]
    add(database, "apples")
    with database.reading() as session:
        session.execute(counts.update().values(value=9))
    assert value(app, "apples") == 1


def test_writers_use_one_connection_and_what_fails_on_it_is_rolled_back(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.write() as first:
        first.cursor().execute("CREATE TABLE x (y)")
    with pytest.raises(ZeroDivisionError), database.write() as second:
        assert second is first
        second.cursor().execute("INSERT INTO x VALUES (1)")
        raise ZeroDivisionError
    with database.look() as looking:
        assert looking.cursor().execute("SELECT count(*) FROM x").fetchone() == (0,)
    with database.look() as again:
        assert again is looking


def test_many_writers_in_three_replicas_all_get_their_turn(tmp_path):
    apps = [toy_app(tmp_path) for _ in range(3)]

    def work(app):
        for _ in range(20):
            add(app.extensions["souk.database"], "apples")

    threads = [threading.Thread(target=work, args=(app,)) for app in apps for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(apps[0], "apples") == 180


def test_a_database_that_somebody_else_locks_is_a_503_and_then_works_again(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.2)  # how long SQLite itself waits for a lock
    app = toy_app(tmp_path)
    client = app.test_client()
    blocker = sqlite3.connect(tmp_path / "data" / "toy.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    answer = client.post("/api/toy/apples")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "1"
    assert "sqlite" not in answer.text.lower()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert client.post("/api/toy/apples").status_code == 200


@pytest.mark.parametrize(
    ("pragma", "says"), [("query_only=1", "read-only"), ("max_page_count=1", "full")], ids=["read-only", "full"]
)
def test_a_database_that_takes_nothing_is_a_503_that_says_why_and_then_works_again(tmp_path, pragma, says):
    app = toy_app(tmp_path)
    engine = app.extensions["souk.database"].engine

    def spoil(connection, _record):
        connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", spoil)
    engine.dispose()
    client = app.test_client()
    answer = client.post("/api/toy/" + "apples" * 2_000)  # a new page is needed
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert f"the database is {says}" in answer.json["detail"]
    assert answer.headers["Retry-After"] == "1"
    event.remove(engine, "connect", spoil)
    if says == "full":
        engine.dispose()  # the limit belongs to the connection; one that is read-only must go by itself
    assert client.post("/api/toy/apples").status_code == 200


def test_postgresql_says_the_same(postgres):
    with postgres_database(postgres) as url:
        database = Database(url)
        assert "read-only" in _refusal(database, "SET TRANSACTION READ ONLY; CREATE TABLE x (y int)")
        # What a full disk or another's lock raises, raised by hand: the driver makes its exception by this code.
        for code, says in (("53100", "full"), ("55P03", "locked"), ("57014", "locked"), ("57P03", "cannot be used")):
            assert says in _refusal(database, f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(text("SELECT nonsense"))  # a mistake of ours stays one
        database.engine.dispose()


def _refusal(database, statement):
    with pytest.raises(Unavailable) as caught, database.transaction() as session:
        session.execute(text(statement))
    return caught.value.detail


@pytest.mark.parametrize("way", ["read", "reading", "look", "write", "transaction"])
def test_a_database_that_cannot_be_reached_is_a_503_in_each_way(way, tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        away = f"postgresql://127.0.0.1:{nobody.getsockname()[1]}/shop", f"sqlite:///{tmp_path / 'folder'}"
        (tmp_path / "folder").mkdir()
        for url in away:
            database = Database(url)
            with pytest.raises(Unavailable), getattr(database, way)():
                pass
            database.engine.dispose()


def test_a_writer_waits_for_its_turn_no_longer_than_its_request_may_take(tmp_path, monkeypatch):
    app = toy_app(tmp_path)
    monkeypatch.setattr(chassis_database, "BUSY_TIMEOUT_S", 3600)
    with app.extensions["souk.database"].transaction():
        answer = app.test_client().post("/api/toy/apples", headers={"X-Request-Timeout-Ms": "100"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_an_instance_without_its_database_is_not_ready_but_alive(tmp_path, monkeypatch):
    app = toy_app(tmp_path)

    def refuse(*_args):
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    database = app.extensions["souk.database"]
    monkeypatch.setattr(database.engine, "connect", refuse)
    client = app.test_client()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_times_come_back_in_utc_and_naive_ones_are_refused():
    column = UtcDateTime()
    assert column.process_result_value(datetime(2030, 1, 1), None).tzinfo is UTC  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        column.process_bind_param(datetime(2030, 1, 1), None)  # noqa: DTZ001
    assert utc_now().tzinfo is UTC


def test_an_error_does_not_show_the_values_of_its_statement(tmp_path):
    database = toy_app(tmp_path).extensions["souk.database"]
    with pytest.raises(IntegrityError) as caught, database.transaction() as session:
        session.execute(counts.insert(), [{"name": "4242424242424242", "value": 1}] * 2)
    assert "4242" not in str(caught.value)
