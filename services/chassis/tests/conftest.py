"""The database server that some tests here need."""

from chassis.testing_postgres import postgres

__all__ = ["postgres"]
