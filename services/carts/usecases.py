"""What can be done with a cart."""

from sqlalchemy import PoolProxiedConnection, bindparam, delete, select, update
from sqlalchemy.orm import Session

from carts.clients import Catalog
from carts.domain import Cart, Line, Product, check_room, check_sku, priced, without
from carts.models import CartRow, LineRow
from carts.schemas import OrderPlaced
from chassis.database import Database, Transaction, unit_of
from chassis.errors import NotFound, Problem, Unavailable
from chassis.inbox import Event, first_delivery
from chassis.inserting import insert_new
from chassis.prepared import Prepared
from chassis.telemetry import log

carts, cart_lines = CartRow.__table__, LineRow.__table__
_its = cart_lines.c.customer_id == bindparam("customer")
_QUANTITIES = Prepared(select(cart_lines.c.sku, cart_lines.c.quantity).where(_its))
_LOCK = Prepared(select(carts).where(carts.c.customer_id == bindparam("customer")).with_for_update())
_one = cart_lines.c.sku == bindparam("of")
_KEEP = Prepared(update(cart_lines).where(_its, _one).values(quantity=bindparam("left")))
_REMOVE = Prepared(delete(cart_lines).where(_its, _one))


def get_cart(database: Database, catalog: Catalog, customer_id: str) -> Cart:
    """The cart, priced anew in one call. With the catalog away it has the last prices known, and says so."""
    lines = _read_lines(database, customer_id)
    return priced(lines, _ask(catalog, {line.product.sku for line in lines}))


def put_item(database: Database, catalog: Catalog, customer_id: str, sku: str, quantity: int) -> Cart:
    """Set how many pieces of a product are in the cart.

    Raises NotFound for an unknown product, Conflict when the cart is full, and Unavailable when the product is
    new to the cart and the catalog cannot be asked about it.
    """
    check_sku(sku)
    in_cart = {line.product.sku for line in _read_lines(database, customer_id)}
    products = _ask(catalog, in_cart | {sku})
    if products is None and sku not in in_cart:
        raise Unavailable("the catalog cannot be asked about this product now; try again")
    if products is not None and sku not in products:
        raise NotFound(f"there is no product {sku}")
    with database.transaction() as session:
        _lock(session, customer_id)
        _put_line(session, customer_id, sku, quantity, (products or {}).get(sku))
        lines = _lines(session, customer_id)
    return priced(lines, products)


def remove_item(database: Database, catalog: Catalog, customer_id: str, sku: str) -> Cart:
    """Take a product out of the cart; one that is not in it is fine. Raises NotFound for an impossible sku."""
    check_sku(sku)
    with database.transaction() as session:
        _lock(session, customer_id)
        session.execute(delete(LineRow).where(LineRow.customer_id == customer_id, LineRow.sku == sku))
    return get_cart(database, catalog, customer_id)


def remove_ordered(database: Database, event: Event) -> None:
    """An order was placed: what was ordered leaves the cart, and what was not stays."""
    order = OrderPlaced.model_validate(event.data)
    ordered = [(line.sku, line.quantity) for line in order.lines]
    with database.write() as connection:
        # Most who order have no cart, or an empty one; what is put in from now on was not ordered.
        if not first_delivery(connection, event) or not _quantities(connection, order.customer_id):
            return
        _lock(connection, order.customer_id)
        for sku, left in without(_quantities(connection, order.customer_id), ordered).items():
            its = {"customer": order.customer_id, "of": sku}
            if left:
                _KEEP.run(connection, {**its, "left": left})
            else:
                _REMOVE.run(connection, its)


def _ask(catalog: Catalog, skus: set[str]) -> dict[str, Product] | None:
    """None when the catalog is away: a cart without today's prices is better than no cart."""
    try:
        return catalog.products(sorted(skus))
    except Problem as problem:
        log.warning("showing the last prices known", reason=problem.detail)
        return None


def _lock(transaction: Transaction, customer_id: str) -> None:
    """From here to the end of the transaction nobody else changes this cart."""
    insert_new(transaction, carts, {"customer_id": customer_id})
    _LOCK.rows(unit_of(transaction), {"customer": customer_id})


def _quantities(connection: PoolProxiedConnection, customer_id: str) -> dict[str, int]:
    return {row["sku"]: row["quantity"] for row in _QUANTITIES.rows(connection, {"customer": customer_id})}


def _put_line(session: Session, customer_id: str, sku: str, quantity: int, product: Product | None) -> None:
    row = session.get(LineRow, (customer_id, sku))
    if row is None:
        if product is None:  # taken out by another request since we looked
            raise Unavailable("the catalog cannot be asked about this product now; try again")
        check_room(len(_rows(session, customer_id)))
        row = LineRow(customer_id=customer_id, sku=sku)
        session.add(row)
    row.quantity = quantity
    if product is not None:
        row.name, row.price_cents, row.currency = product.name, product.price_cents, product.currency


def _rows(session: Session, customer_id: str) -> list[LineRow]:
    statement = select(LineRow).where(LineRow.customer_id == customer_id)
    return list(session.scalars(statement.order_by(LineRow.added_at, LineRow.sku)))


def _lines(session: Session, customer_id: str) -> list[Line]:
    return [
        Line(Product(row.sku, row.name, row.price_cents, row.currency), row.quantity)
        for row in _rows(session, customer_id)
    ]


def _read_lines(database: Database, customer_id: str) -> list[Line]:
    with database.reading() as session:
        return _lines(session, customer_id)
