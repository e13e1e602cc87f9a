"""What the bank does: charge, give back, show its books, change its behaviour."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bank.domain import Behaviour, State, decide
from bank.models import BehaviourRow, Charge
from bank.schemas import ChargeWanted
from chassis.database import Database, insert_new, utc_now
from chassis.errors import Conflict, InternalError, NotFound, Unavailable
from chassis.paging import decode_cursor, paged


@contextmanager
def books(database: Database) -> Iterator[Session]:
    """A transaction whose failure is a 500. A 503 says that nothing was done, which a lost commit cannot say."""
    try:
        with database.transaction() as session:
            yield session
    except Unavailable as error:
        if error.__cause__ is None:  # not even begun: it did not get its turn
            raise
        raise InternalError("the books could not be written; ask again with the same key") from error


def charge(database: Database, key: str, wanted: ChargeWanted, decline_rate: float, draw: float) -> tuple[Charge, bool]:
    """The charge under this key, made now unless there is one, and whether it is new.

    Raises Conflict when the key was used for another charge. The full card number is not kept, so its last four
    digits stand for it in that comparison.
    """
    row = wanted.model_dump(exclude={"card"}) | {"card_last4": wanted.card[-4:]}
    state = decide(wanted.card, decline_rate, draw)
    with books(database) as session:
        # The unique key decides, not a look before: of two requests at once only one inserts.
        is_new = insert_new(session, Charge.__table__, {**row, "key": key, "state": state, "created_at": utc_now()})
        made = session.scalars(select(Charge).where(Charge.key == key)).one()
    if any(getattr(made, name) != value for name, value in row.items()):
        raise Conflict("this Idempotency-Key was used for another charge; use a new one for a new charge")
    return made, is_new


def refund(database: Database, key: str, charge_key: str) -> tuple[Charge, bool]:
    """Give the money of a charge back, once; the charge, and whether it was given back just now.

    Raises NotFound for an unknown charge; Conflict for a declined one, for one that was given back under
    another key, and for a key that was used for another refund.
    """
    try:
        with books(database) as session:
            found = session.scalars(select(Charge).where(Charge.key == charge_key).with_for_update()).one_or_none()
            if found is None:
                raise NotFound("there is no charge under this key")
            if found.refund_key == key:
                return found, False
            if found.state != State.CAPTURED:
                raise Conflict(f"only a captured charge can be given back; this one is {found.state}")
            found.state, found.refund_key, found.refunded_at = State.REFUNDED, key, utc_now()
            session.flush()
            return found, True
    except IntegrityError as error:
        raise Conflict("this Idempotency-Key was used for another refund; use a new one for a new refund") from error


def get_charge(database: Database, key: str) -> Charge:
    """Raises NotFound."""
    with database.reading() as session:
        found = session.scalars(select(Charge).where(Charge.key == key)).one_or_none()
    if found is None:
        raise NotFound("there is no charge under this key")
    return found


def list_charges(database: Database, limit: int, cursor: str | None) -> tuple[list[Charge], str | None]:
    """A page of all charges, oldest first, and the next cursor."""
    statement = select(Charge).order_by(Charge.seq).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Charge.seq > decode_cursor(cursor, int))
    with database.reading() as session:
        rows = session.scalars(statement).all()
    return paged(rows, limit, lambda row: row.seq)


def get_behaviour(database: Database) -> Behaviour:
    with database.reading() as session:
        return _behaviour(session)


def change_behaviour(database: Database, changes: Mapping[str, Any]) -> Behaviour:
    """Change what is named, keep the rest; it holds at once and over a restart."""
    with database.transaction() as session:
        behaviour = Behaviour(**{**asdict(_behaviour(session)), **changes})
        session.merge(BehaviourRow(id=1, **asdict(behaviour)))
    return behaviour


def _behaviour(session: Session) -> Behaviour:
    row = session.get(BehaviourRow, 1)
    return Behaviour(**{name: getattr(row, name) for name in asdict(Behaviour())}) if row else Behaviour()
