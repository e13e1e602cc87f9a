"""Statements that are compiled once and run by the driver."""

import sqlite3

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, bindparam, create_engine, insert, select

from chassis.clock import utc_now
from chassis.database import UtcDateTime
from chassis.prepared import Prepared

things = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime), Column("seen", DateTime)
)


class Driver:
    """A connection of the driver's that remembers its cursors."""

    def __init__(self):
        self.info = {"dialect": create_engine("sqlite://").dialect}
        self.connection, self.cursors = sqlite3.connect(":memory:"), []
        self.connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, at TEXT, seen TEXT)")

    def cursor(self):
        self.cursors.append(self.connection.cursor())
        return self.cursors[-1]

    def all_closed(self):
        for cursor in self.cursors:
            with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
                cursor.fetchone()
        return True


@pytest.fixture
def driver():
    made = Driver()
    yield made
    made.connection.close()


def test_values_come_back_as_they_went_in(driver):
    now = utc_now()
    Prepared(insert(things)).run(driver, {"id": 1, "at": now})
    assert Prepared(select(things.c.id, things.c.at)).rows(driver, {}) == [{"id": 1, "at": now}]


def test_a_value_that_stands_twice_in_a_statement_is_bound_twice(driver):
    now, moment = utc_now(), bindparam("now", type_=UtcDateTime)
    Prepared(insert(things)).run_all(driver, [{"id": 1, "at": now}, {"id": 2, "at": now}])
    either = Prepared(select(things.c.id).where((things.c.at < moment) | (things.c.at == moment)).order_by(things.c.id))
    assert either.rows(driver, {"now": now}) == [{"id": 1}, {"id": 2}]


def test_no_statement_stays_open_not_even_one_that_failed(driver):
    put = Prepared(insert(things))
    put.run(driver, {"id": 1, "at": utc_now()})
    with pytest.raises(sqlite3.IntegrityError):
        put.run(driver, {"id": 1, "at": utc_now()})
    with pytest.raises(sqlite3.IntegrityError):
        put.run_all(driver, [{"id": 1, "at": utc_now()}])
    Prepared(select(things.c.id)).row(driver, {})
    assert driver.all_closed()
