"""Rows of which there may be one already: whoever comes first writes it, and the others learn that they were not."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, Table
from sqlalchemy.orm import Session

from chassis.database import Transaction, unit_of
from chassis.prepared import Prepared


def insert_new(transaction: Transaction, table: FromClause, row: Mapping[str, Any]) -> bool:
    """Insert the row unless its key is taken, also by a transaction that commits just now. False if it is.

    Every value that the table needs is given: the defaults of its columns are not filled in.
    """
    unit = unit_of(transaction)
    return bool(_insert_new(unit.info["dialect"].name, table).run(unit, row))


def insert_all_new(session: Session, table: FromClause, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Insert the rows whose key is not taken; gives the primary key (its first column) of each of these."""
    connection = session.connection()
    statement = _inserting_new(connection.dialect.name, table).returning(*table.primary_key)
    return list(connection.scalars(statement, list(rows)))


@functools.cache
def _insert_new(dialect: str, table: FromClause) -> Prepared:
    return Prepared(_inserting_new(dialect, table))


def _inserting_new(dialect: str, table: FromClause) -> Any:
    assert isinstance(table, Table), "not a view or a join"  # `Model.__table__` is declared as less than it is
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql as dialect_module  # 2.5 MB that a process on SQLite does not need
    else:
        from sqlalchemy.dialects import sqlite as dialect_module  # type: ignore[no-redef]
    return dialect_module.insert(table).on_conflict_do_nothing()
