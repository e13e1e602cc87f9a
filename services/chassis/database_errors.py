"""What a database's refusal means for whoever asked: the same few sentences for SQLite and for PostgreSQL.

A database that is locked, read-only, full or away is nobody's mistake and passes: `Unavailable`, which is answered
with 503 and `Retry-After`. Everything else that a driver raises is a mistake of ours, and stays what it is.
"""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from chassis.errors import Unavailable

LOCKED = "the database is locked by somebody else; try again"
READ_ONLY = "the database is read-only now; try again later"
FULL = "the database is full; try again later"
AWAY = "the database cannot be used now; try again"

# Primary result codes (sqlite.org/rescode.html): BUSY, LOCKED, READONLY, FULL.
SQLITE = {5: LOCKED, 6: LOCKED, 8: READ_ONLY, 13: FULL}
# SQLSTATE (PostgreSQL, appendix A): lock not available, statement timeout, deadlock, read-only, full.
POSTGRESQL = {"55P03": LOCKED, "57014": LOCKED, "40P01": LOCKED, "25006": READ_ONLY, "53100": FULL}


def unavailable(error: SQLAlchemyError) -> Unavailable | None:
    """What to tell the caller, or None when the error is not the database's state but a mistake of ours."""
    sentence = _sentence(error)
    # psycopg files "read-only" under internal errors, so its kind alone does not tell.
    if sentence is None and isinstance(error, OperationalError | InterfaceError | TimeoutError):
        sentence = AWAY
    return Unavailable(sentence) if sentence else None


def is_read_only(error: BaseException) -> bool:
    """Whether a driver's exception says that the database cannot be written."""
    return _of_driver(error) == READ_ONLY


def _sentence(error: SQLAlchemyError) -> str | None:
    return _of_driver(error.orig) if isinstance(error, DBAPIError) and error.orig else None


def _of_driver(error: BaseException) -> str | None:
    if (code := getattr(error, "sqlite_errorcode", None)) is not None:
        return SQLITE.get(code & 0xFF)  # the upper bits only say more about it
    return POSTGRESQL.get(getattr(error, "sqlstate", None) or "")
