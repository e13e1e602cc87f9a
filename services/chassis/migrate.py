"""Alembic for every service: its migrations are files in `<service>/migrations`, numbered from 0001.

A revision's id is the number in its file's name, so anybody, without importing a service, can see whether a
database is up to date. Migrations are a step of their own and never run from a web worker: two replicas that
start at once must not both change the schema.
"""

import importlib
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chassis.engines import make_engine
from chassis.telemetry import log

LOOK_S = 1.0


def alembic_config(service: str, url: str) -> Config:
    """Alembic's configuration for one service's migrations on one database."""
    package = importlib.import_module(service)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(Path(str(package.__file__)).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def upgrade(service: str, url: str) -> None:
    """Bring the database to the newest revision. Does nothing on one that is there already."""
    command.upgrade(alembic_config(service, url), "head")


def wait(service: str, url: str) -> None:
    """Return once somebody has brought the database to this version's newest revision; a later one will do."""
    newest = ScriptDirectory.from_config(alembic_config(service, url)).get_current_head() or ""
    engine = make_engine(url, patient=True)
    said = False
    while (_revision(engine) or "") < newest:
        if not said:
            log.info("waiting for the database to be migrated", revision=newest)
        said = True
        time.sleep(LOOK_S)
    engine.dispose()


def _revision(engine: Engine) -> str | None:
    """The revision of the database; None when there is none, or no answer."""
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        log.info("the database does not answer yet", error=str(error.__cause__ or error))
        return None
