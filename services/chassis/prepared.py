"""Statements that are compiled once and then run by the driver, for what every order goes through.

Around the few µs that SQLite needs for a small statement, SQLAlchemy needs 40 to look it up in its cache, to bind its
values and to wrap its rows. The price: every value is given, also where a column has a default, and there is no list
for an IN. For what runs seldom it is not worth it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any

from sqlalchemy import Connection, Dialect, PoolProxiedConnection

Processor = Callable[[Any], Any] | None
Values = Mapping[str, Any]
Row = dict[str, Any]
Unit = Connection | PoolProxiedConnection


class Prepared:
    """A Core statement with a named `bindparam` for each value; made for a kind of database when that first runs it.

    The driver's exceptions come out as they are; `Database` turns them into SQLAlchemy's.
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._made: dict[tuple[str, ...], _Made] = {}

    def rows(self, unit: Unit, values: Values) -> list[Row]:
        """All rows, by the names of their columns."""
        driver, made = self._for(unit, values)
        with _cursor(driver) as cursor:
            cursor.execute(made.sql, made.bind(values))
            return made.read(cursor)

    def row(self, unit: Unit, values: Values) -> Row | None:
        """The first row, or None."""
        return next(iter(self.rows(unit, values)), None)

    def run(self, unit: Unit, values: Values) -> int:
        """How many rows it has changed."""
        driver, made = self._for(unit, values)
        with _cursor(driver) as cursor:
            cursor.execute(made.sql, made.bind(values))
            return int(cursor.rowcount)

    def run_all(self, unit: Unit, several: Sequence[Values]) -> None:
        """Once for each of `several`, which all have the same names."""
        driver, made = self._for(unit, several[0])
        with _cursor(driver) as cursor:
            cursor.executemany(made.sql, [made.bind(values) for values in several])

    def _for(self, unit: Unit, values: Values) -> tuple[PoolProxiedConnection, "_Made"]:
        driver = unit.connection if isinstance(unit, Connection) else unit
        dialect: Dialect = driver.info["dialect"]
        made = self._made.get(key := (dialect.name, *values))
        if made is None:
            made = self._made[key] = _Made(self._statement, dialect, list(values))
        return driver, made


def _cursor(driver: PoolProxiedConnection) -> AbstractContextManager[Any]:
    """Closed at once. One that lives on in the traceback of its exception is closed by whatever thread collects that,
    which then waits for the connection, and for the lock for which its next user may be waiting.
    """
    return closing(driver.cursor())


class _Made:
    """Its text for one kind of database, and what turns values into the driver's and back."""

    def __init__(self, statement: Any, dialect: Dialect, names: list[str]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)
        self.sql = str(compiled)
        self._positional: bool = compiled.positional
        self._binds: list[tuple[str, Any, Processor]] = [
            (name, bind.value, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name in (compiled.positiontup if compiled.positional else compiled.binds)
            for bind in (compiled.binds[name],)
        ]
        columns = getattr(statement, "exported_columns", ())
        self._columns: list[tuple[str, Any]] = [(column.key, column.type.dialect_impl(dialect)) for column in columns]
        self._dialect = dialect
        self._processors: list[tuple[str, Callable[[Any], Any]]] | None = None  # known with the first answer

    def read(self, cursor: Any) -> list[Row]:
        names = [name for name, _ in self._columns]
        if self._processors is None:
            kinds = zip(self._columns, cursor.description, strict=True)
            found = [(name, kind.result_processor(self._dialect, about[1])) for (name, kind), about in kinds]
            self._processors = [(name, process) for name, process in found if process is not None]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for name, process in self._processors:
            for row in rows:
                row[name] = process(row[name])
        return rows

    def bind(self, values: Values) -> Any:
        bound = [
            values.get(name, constant) if process is None else process(values.get(name, constant))
            for name, constant, process in self._binds
        ]
        return tuple(bound) if self._positional else {name: v for (name, *_), v in zip(self._binds, bound, strict=True)}
