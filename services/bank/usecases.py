"""What the bank does: charge, give back, show its books, change its behaviour."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import PoolProxiedConnection, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from bank.domain import Behaviour, State, decide
from bank.models import BehaviourRow, Charge
from bank.schemas import ChargeWanted, Record
from chassis.database import Database, utc_now
from chassis.errors import Conflict, InternalError, NotFound, Unavailable
from chassis.inserting import insert_new
from chassis.paging import decode_cursor, paged
from chassis.prepared import Prepared, Unit

charges, behaviour = Charge.__table__, BehaviourRow.__table__

# Built once: to build a statement takes longer than to run it.
_by_key = charges.c.key == bindparam("about")
_BY_KEY = Prepared(select(charges).where(_by_key))
_LOCK = Prepared(select(charges).where(_by_key).with_for_update())
_REFUND = Prepared(update(charges).where(_by_key))
_BEHAVIOUR = Prepared(select(*(behaviour.c[field.name] for field in fields(Behaviour))).where(behaviour.c.id == 1))


@contextmanager
def books(database: Database) -> Iterator[PoolProxiedConnection]:
    """A transaction whose failure is a 500. A 503 says that nothing was done, which a lost commit cannot say."""
    try:
        with database.write() as connection:
            yield connection
    except Unavailable as error:
        if error.__cause__ is None:  # not even begun: it did not get its turn
            raise
        raise InternalError("the books could not be written; ask again with the same key") from error


def charge(database: Database, key: str, wanted: ChargeWanted, decline_rate: float, draw: float) -> tuple[Record, bool]:
    """The charge under this key, made now unless there is one, and whether it is new.

    Raises Conflict when the key was used for another charge. The full card number is not kept, so its last four
    digits stand for it in that comparison.
    """
    row = wanted.model_dump(exclude={"card"}) | {"card_last4": wanted.card[-4:]}
    new = {**row, "key": key, "state": decide(wanted.card, decline_rate, draw), "created_at": utc_now()}
    with books(database) as connection:
        # The unique key decides, not a look before: of two requests at once only one inserts.
        if insert_new(connection, charges, new):
            return new, True
        (made,) = _BY_KEY.rows(connection, {"about": key})
    if any(made[name] != value for name, value in row.items()):
        raise Conflict("this Idempotency-Key was used for another charge; use a new one for a new charge")
    return made, False


def refund(database: Database, key: str, charge_key: str) -> tuple[Record, bool]:
    """Give the money of a charge back, once; the charge, and whether it was given back just now.

    Raises NotFound for an unknown charge; Conflict for a declined one, for one that was given back under
    another key, and for a key that was used for another refund.
    """
    try:
        with books(database) as connection:
            found = _LOCK.row(connection, {"about": charge_key})
            if found is None:
                raise NotFound("there is no charge under this key")
            if found["refund_key"] == key:
                return found, False
            if found["state"] != State.CAPTURED:
                raise Conflict(f"only a captured charge can be given back; this one is {found['state']}")
            values = {"state": State.REFUNDED, "refund_key": key, "refunded_at": utc_now()}
            _REFUND.run(connection, {"about": charge_key, **values})
            return {**found, **values}, True
    except IntegrityError as error:
        raise Conflict("this Idempotency-Key was used for another refund; use a new one for a new refund") from error


def get_charge(database: Database, key: str) -> Record:
    """Raises NotFound."""
    with database.look() as connection:
        found = _BY_KEY.row(connection, {"about": key})
    if found is None:
        raise NotFound("there is no charge under this key")
    return found


def list_charges(database: Database, limit: int, cursor: str | None) -> tuple[list[Record], str | None]:
    """A page of all charges, oldest first, and the next cursor."""
    statement = select(charges).order_by(charges.c.seq).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(charges.c.seq > decode_cursor(cursor, int))
    with database.read() as connection:
        rows = connection.execute(statement).mappings().all()
    return paged(rows, limit, lambda row: row["seq"])


def get_behaviour(database: Database) -> Behaviour:
    with database.look() as connection:
        return _behaviour(connection)


def change_behaviour(database: Database, changes: Mapping[str, Any]) -> Behaviour:
    """Change what is named, keep the rest; it holds at once and over a restart."""
    with database.transaction() as session:
        changed = Behaviour(**{**asdict(_behaviour(session.connection())), **changes})
        session.merge(BehaviourRow(id=1, **asdict(changed)))
    return changed


def _behaviour(unit: Unit) -> Behaviour:
    row = _BEHAVIOUR.row(unit, {})
    return Behaviour(**row) if row else Behaviour()
