"""One database per service, and transactions that are said out loud.

    with database.transaction() as session:   # read and write; commits at the end, rolls back on an exception
    with database.reading() as session:       # one consistent view, never waits for a writer
    with database.read() as connection:       # the same view for Core statements, without the ORM
    with database.write() as connection:      # the first two for prepared statements alone, for what every order goes
    with database.look() as connection:       # through: SQLAlchemy's own layers cost more than the statements they run.
                                              # Each statement of a look is a view of its own

All raise Unavailable, with a sentence for the caller, when the database is locked, read-only, full or away.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

from flask import Flask, current_app
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    ExceptionContext,
    PoolProxiedConnection,
    TypeDecorator,
    event,
    func,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from chassis import database_errors, deadline
from chassis.clock import SharedClock, utc_now
from chassis.engines import BUSY_TIMEOUT_S, KEPT, Kept, make_engine
from chassis.errors import Unavailable
from chassis.prepared import Unit
from chassis.settings import ChassisSettings
from chassis.telemetry import log


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite stores no time zone, so it is put back on when a row is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a time zone; use chassis.database.utc_now()")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Database:
    """A service's own database. Safe to share between threads; make it after a fork."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = make_engine(url)
        self._driver_error = self.engine.dialect.loaded_dbapi.Error
        self.outbox: Any = None  # set by chassis.relay.use_outbox; publish() finds it by the session
        # Writers of one process queue here instead of in SQLite's busy handler, which polls and is unfair.
        self._writers: threading.Lock | None = threading.Lock() if self.engine.name == "sqlite" else None
        # Into SQLAlchemy's pool and out of it takes longer than most statements. Not for a server: the pool tries its
        # connections before it gives them, for they may be broken. Writers take turns with one of their own: SQLite
        # forgets the pages that a connection has read as soon as another one writes.
        most = KEPT if self._writers is not None else 0
        self._for_writing, self._for_looking = Kept(self.engine, most), Kept(self.engine, most)
        self._read_only = False  # SQLite: files were opened while they could not be written
        self._reopening = threading.Lock()
        self.now = utc_now if self.engine.name == "sqlite" else SharedClock(self._server_time).now
        """Now, by the clock that all replicas share: the server's. With SQLite all are on one machine."""
        if self._writers is not None:
            event.listen(self.engine, "handle_error", self._note_read_only)

    @contextmanager
    def write(self) -> Iterator[PoolProxiedConnection]:
        """A read-write transaction for prepared statements; what it publishes is relayed once it has committed."""
        callbacks: list[Callable[[], None]] = []
        with self._turn(), self._driver(self._for_writing) as connection:
            connection.info.update(outbox=self.outbox, after_commit=callbacks)
            if self._writers is not None:
                connection.cursor().execute("BEGIN IMMEDIATE")  # psycopg begins by itself
            yield connection
            connection.commit()
        for callback in callbacks:
            callback()

    @contextmanager
    def look(self) -> Iterator[PoolProxiedConnection]:
        """For prepared statements that only read. Each sees a view of its own: what must fit together is one."""
        with self._driver(self._for_looking) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A read-write transaction; what it publishes is relayed once it has committed."""
        callbacks: list[Callable[[], None]] = []
        with _in_plain_words(), self._turn(), self._connect() as connection:
            connection.info.update(outbox=self.outbox, after_commit=callbacks)
            session = Session(connection, expire_on_commit=False)
            with self._driver_errors(), connection.begin(), session, session.begin():
                yield session
        for callback in callbacks:
            callback()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only view for Core statements; nothing written in it is kept."""
        with _in_plain_words(), self._connect().execution_options(souk_read=True) as connection:
            yield connection

    def _connect(self) -> Connection:
        if self._read_only:
            self._reopen()
        return self.engine.connect()

    @contextmanager
    def _driver(self, kept: Kept) -> Iterator[PoolProxiedConnection]:
        """A connection of the driver's, a kept one if there is one. Its exceptions come out as SQLAlchemy's would."""
        if self._read_only:
            self._reopen()
        try:
            connection = kept.take()
            try:
                yield connection
            except BaseException:
                connection.close()  # the pool rolls back what is not committed
                raise
            kept.give_back(connection)
        except self._driver_error as error:
            _raise_in_plain_words(self._as_sqlalchemy(error))
        except SQLAlchemyError as error:
            _raise_in_plain_words(error)

    @contextmanager
    def _driver_errors(self) -> Iterator[None]:
        """What prepared statements raise inside SQLAlchemy's own transaction, as it would have raised it."""
        try:
            yield
        except self._driver_error as error:
            raise self._as_sqlalchemy(error) from error

    def _as_sqlalchemy(self, error: Exception) -> SQLAlchemyError:
        self._read_only = self._read_only or (self._writers is not None and database_errors.is_read_only(error))
        translated = DBAPIError.instance(None, None, error, self._driver_error)
        translated.__cause__ = error
        return translated

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read-only view; nothing written in it is kept."""
        with self.read() as connection, Session(connection) as session:
            yield session

    def ping(self) -> bool:
        """True when the database answers a query."""
        try:
            with self.reading() as session:
                session.execute(text("SELECT 1"))
        except Unavailable:
            return False
        return True

    def _server_time(self) -> datetime:
        with self.reading() as session:
            return session.scalars(select(func.clock_timestamp())).one()

    def _note_read_only(self, context: ExceptionContext) -> None:
        self._read_only = self._read_only or database_errors.is_read_only(context.original_exception)

    def _reopen(self) -> None:
        """Close all files, then open them anew.

        SQLite opens a file that it may not write for reading alone, and stays with that; so do all connections of
        a process while one of them is open, since they share the mapped -shm file. So newcomers wait here until
        those inside have left.
        """
        with self._reopening:
            if self._read_only:
                deadline_at = time.monotonic() + BUSY_TIMEOUT_S
                while cast(QueuePool, self.engine.pool).checkedout() and time.monotonic() < deadline_at:
                    self._for_writing.close()
                    self._for_looking.close()
                    time.sleep(0.01)
                self.engine.dispose()
                self._read_only = False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._writers is None:
            yield
            return
        if not self._writers.acquire(timeout=deadline.at_most_s(BUSY_TIMEOUT_S)):
            raise Unavailable(database_errors.LOCKED)
        try:
            yield
        finally:
            self._writers.release()


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        _raise_in_plain_words(error)


def _raise_in_plain_words(error: SQLAlchemyError) -> NoReturn:
    problem = database_errors.unavailable(error)
    if problem is None:
        raise error
    log.warning("the database refused", error=str(error.__cause__ or error))
    raise problem from error


Transaction = Session | Unit


def unit_of(transaction: Transaction) -> Unit:
    """What prepared statements run on."""
    return transaction.connection() if isinstance(transaction, Session) else transaction


def after_commit(transaction: Transaction, callback: Callable[[], None]) -> None:
    """Call this once the transaction has committed; never if it rolls back."""
    unit_of(transaction).info["after_commit"].append(callback)


def use_database(app: Flask, settings: ChassisSettings) -> Database:
    """Give the application its database, without which it is not ready."""
    database = Database(settings.database)
    app.extensions["souk.database"] = database
    app.extensions["souk.ready"].append(database.ping)
    return database


def app_database() -> Database:
    """The database of the application that handles this request."""
    return current_app.extensions["souk.database"]
