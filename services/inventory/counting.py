"""How stock comes to be: with a new product, by an operator who counted, or by the seed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import Conflict
from chassis.inbox import Event, first_delivery
from chassis.inserting import insert_all_new
from inventory.domain import COUNTED, check_sku
from inventory.models import Movement, Stock
from inventory.schemas import AboutProduct

BATCH = 5_000


def add_product(database: Database, event: Event) -> None:
    """A product is new or changed: from now on it has stock, none at first."""
    sku = AboutProduct.model_validate(event.data).sku
    with database.transaction() as session:
        if first_delivery(session, event):
            _add_rows(session, [sku], 0)


def set_on_hand(database: Database, sku: str, on_hand: int, operator: str) -> tuple[Stock, bool]:
    """An operator counted. Gives the row, and whether it is new: the catalog's event may not have come yet.

    Raises Conflict when more pieces are reserved, Unprocessable for a sku that no product can have.
    """
    check_sku(sku)
    with database.transaction() as session:
        created = bool(_add_rows(session, [sku], 0))
        before = session.get_one(Stock, sku, with_for_update=True).on_hand
        counted = update(Stock).where(Stock.sku == sku, Stock.reserved <= on_hand).values(on_hand=on_hand)
        stock = session.scalars(counted.returning(Stock), execution_options={"populate_existing": True}).first()
        if stock is None:
            raise Conflict("more pieces than that are reserved for orders; set a higher number")
        if on_hand != before:
            movement = {"sku": sku, "kind": COUNTED, "on_hand_delta": on_hand - before, "reserved_delta": 0}
            session.execute(insert(Movement), [{**movement, "operator": operator}])
    return stock, created


def add_missing(database: Database, skus: Iterable[str], on_hand: int) -> None:
    """The seed: stock for each sku that has none yet; rows that are there stay as they are."""
    remaining: Iterator[str] = iter(skus)
    while batch := list(islice(remaining, BATCH)):
        with database.transaction() as session:  # one for each batch, so that nobody waits for 100,000 rows
            added = _add_rows(session, batch, on_hand)
            if added and on_hand:
                movement = {"kind": COUNTED, "on_hand_delta": on_hand, "reserved_delta": 0, "operator": "seed"}
                session.execute(insert(Movement), [{"sku": sku, **movement} for sku in added])


def _add_rows(session: Session, skus: Sequence[str], on_hand: int) -> list[str]:
    """Stock for the skus that have none yet; gives these."""
    rows = [{"sku": sku, "on_hand": on_hand, "reserved": 0} for sku in skus]
    return insert_all_new(session, Stock.__table__, rows)
