"""How a database is connected to: SQLite, which is the default, or PostgreSQL, by its URL; nothing else changes.

SQLite: one file, WAL (readers and the writer do not block each other), `synchronous=FULL` (what was answered survives
a power cut), and `BEGIN IMMEDIATE` for writers. A deferred transaction that turns from reading to writing fails at
once with SQLITE_BUSY when another writer was faster, whatever the busy time-out is; an immediate one waits its turn.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, event, make_url

BUSY_TIMEOUT_S = 8  # more than the 5 s for which a process that hangs may hold SQLite's write lock
KEPT = 8  # connections of SQLite's that wait for the next look, beside those of the pool


class Kept:
    """Connections of the driver's, of which the last `most` that were given back are taken again.

    SQLAlchemy's pool, from which the others come, takes longer to give one than most statements take.
    """

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine, self._most = engine, most
        self._kept: list[PoolProxiedConnection] = []

    def take(self) -> PoolProxiedConnection:
        try:
            return self._kept.pop()
        except IndexError:
            return self._engine.raw_connection()

    def give_back(self, connection: PoolProxiedConnection) -> None:
        if len(self._kept) < self._most:
            self._kept.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close those that nobody has taken."""
        while self._kept:
            self._kept.pop().close()


def make_engine(url: str, patient: bool = False) -> Engine:
    engine = _make_engine(url, patient)
    # Prepared statements have only the driver's connection, and need to know of which kind it is.
    event.listen(engine, "connect", lambda _connection, record: record.info.update(dialect=engine.dialect))
    return engine


def _make_engine(url: str, patient: bool) -> Engine:
    """An engine for SQLite or PostgreSQL. A SQLite file's folder is made when it is missing.

    patient: for migrations, whose statements may take long. Its errors do not show the values of a statement:
    they are logged, and a card may be among them.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        # A server that does not answer must become a 503, and not a thread that waits for ever.
        limits: dict[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": BUSY_TIMEOUT_S * 1000}
        if not patient:
            limits["options"] = f"-c statement_timeout={BUSY_TIMEOUT_S * 1000}"
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_size=10, max_overflow=16, pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True, pool_use_lifo=True, hide_parameters=True, connect_args=limits,
        )  # fmt: skip
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed, pool_size=16, max_overflow=16 + KEPT, pool_timeout=BUSY_TIMEOUT_S, pool_use_lifo=True,
        hide_parameters=True, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and deferred
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    reads = connection.get_execution_options().get("souk_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
