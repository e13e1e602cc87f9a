"""A service for the tests of the chassis: counts things, says so by events, and counts what others say."""

from pathlib import Path
from typing import Any, ClassVar

from apiflask import APIBlueprint
from flask import Flask
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.dialects import sqlite

from chassis import idempotency, inbox, outbox
from chassis.calls import use_calls
from chassis.database import Database, app_database, use_database
from chassis.faults import use_faults
from chassis.identity import use_identity
from chassis.inbox import Event, first_delivery, use_inbox
from chassis.outbox import publish
from chassis.relay import Relay, use_outbox
from chassis.settings import ChassisSettings
from chassis.testing import make_test_app
from chassis.web import make_app

metadata = MetaData()
counts = Table("counts", metadata, Column("name", String, primary_key=True), Column("value", Integer, nullable=False))


class Settings(ChassisSettings):
    service: ClassVar[str] = "toy"
    prefix: ClassVar[str] = "/api/toy"


routes = APIBlueprint("toy", __name__, url_prefix="/api/toy")


@routes.post("/<name>")
def count(name: str) -> dict[str, int]:
    return {"value": add(app_database(), name)}


def add(database: Database, name: str, fail: bool = False) -> int:
    """Count one more, and say so."""
    row = sqlite.insert(counts).values(name=name, value=1)
    statement = row.on_conflict_do_update(index_elements=["name"], set_={"value": counts.c.value + 1})
    with database.transaction() as session:
        value = session.execute(statement.returning(counts.c.value)).scalar_one()
        publish(session, "thing.counted", name, {"value": value})
        if fail:
            raise RuntimeError("changed our mind")
    return int(value)


def add_for(database: Database, event: Event) -> None:
    with database.transaction() as session:
        if first_delivery(session, event):
            row = sqlite.insert(counts).values(name=event.subject, value=1)
            session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": counts.c.value + 1}))


def value(app: Flask, name: str) -> int:
    with app.extensions["souk.database"].reading() as session:
        return session.scalar(select(counts.c.value).where(counts.c.name == name)) or 0


def create_app(settings: Settings) -> Flask:
    app = make_app(settings)
    database = use_database(app, settings)
    calls = use_calls(app, settings)
    use_identity(app, settings, calls)
    app.extensions["toy.relay"] = use_outbox(app, settings, database, calls)
    use_inbox(app, {"thing.counted": lambda event: add_for(database, event)})
    use_faults(app, settings)
    app.register_blueprint(routes)
    for tables in (metadata, outbox.metadata, inbox.metadata, idempotency.metadata):
        tables.create_all(database.engine)
    return app


def toy_app(home: Path, neighbours: dict[str, str] | None = None, **settings: Any) -> Flask:
    return make_test_app(create_app, Settings, home, neighbours, **settings)


def relay_of(app: Flask) -> Relay:
    return app.extensions["toy.relay"]
