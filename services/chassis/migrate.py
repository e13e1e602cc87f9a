"""Alembic for every service: its migrations are files in `<service>/migrations`, numbered from 0001.

A revision's id is the number in its file's name, so anybody, without importing a service, can see whether a
database is up to date. Migrations are a step of their own and never run from a web worker: two replicas that
start at once must not both change the schema.
"""

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config


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
