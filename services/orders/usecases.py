"""What customers do with orders: place, cancel, look. The rest of an order's life is in saga.py."""

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, insert, select, tuple_

from chassis.database import Database
from chassis.errors import Forbidden, NotFound, Unprocessable
from chassis.idempotency import Answer, Key, store
from chassis.identity import Caller
from chassis.outbox import publish
from chassis.paging import decode_moment, paged
from chassis.prepared import Prepared, Unit
from orders.admission import Admission
from orders.clients import Catalog, Product
from orders.domain import Line, Reason, State, check_cancellable, check_card, merge_quantities
from orders.schemas import PlaceOrder, Record, order_answer
from orders.transitions import describe, finish, orders

_PLACE = Prepared(insert(orders))
_SHOWN = (
    "id", "customer_id", "state", "reason", "lines", "total_cents", "currency", "created_at", "reserved_at", "ended_at",
)  # fmt: skip
_BY_ID = Prepared(select(*(orders.c[name] for name in _SHOWN)).where(orders.c.id == bindparam("order_id")))


def place_order(
    database: Database,
    catalog: Catalog,
    admission: Admission,
    customer: Caller,
    wanted: PlaceOrder,
    key: Key,
    deadline_s: float,
) -> Answer:
    """Price the lines, then write the order, its event and the answer under `key` in one commit.

    Raises Unprocessable for an unknown product or card, Unavailable (and there is no order) when the catalog is
    away or too many orders are under way. Stock and payment are not waited for.
    """
    check_card(wanted.payment.card)
    admission.check()
    quantities = merge_quantities((line.sku, line.quantity) for line in wanted.lines)
    lines, currency = price(quantities, catalog.products(list(quantities)))
    now, order_id = database.now(), str(uuid.uuid4())
    order = {
        "id": order_id, "customer_id": customer.id, "state": State.PENDING, "reason": None, "currency": currency,
        "total_cents": sum(line.total_cents for line in lines), "lines": [vars(line) for line in lines],
        "card": wanted.payment.card, "deadline": now + timedelta(seconds=deadline_s), "created_at": now,
        "reserved_at": None, "ended_at": None,
    }  # fmt: skip
    answer = Answer(202, order_answer(order), location=f"/api/orders/{order_id}")
    with database.write() as connection:
        store(connection, key, answer)
        _PLACE.run(connection, order)
        publish(connection, "order.placed", order_id, describe(order))
    return answer


def price(quantities: dict[str, int], products: dict[str, Product]) -> tuple[list[Line], str]:
    """The lines at today's prices, in sku order, and their currency. Raises Unprocessable."""
    if unknown := sorted(set(quantities) - set(products)):
        errors = [{"field": "lines", "message": f"there is no product {sku}"} for sku in unknown]
        raise Unprocessable("some of these products do not exist", errors=errors)
    currencies = {products[sku].currency for sku in quantities}
    if len(currencies) > 1:
        raise Unprocessable(f"one order has one currency, not {' and '.join(sorted(currencies))}")
    lines = [Line(s, products[s].name, n, products[s].price_cents) for s, n in sorted(quantities.items())]
    return lines, currencies.pop()


def cancel_order(database: Database, customer: Caller, order_id: str) -> Record:
    """Cancel at the customer's wish; a cancelled order stays as it is. Raises Conflict when it is confirmed."""
    with database.write() as connection:
        _own(connection, order_id, customer)
        finish(connection, order_id, State.CANCELLED, Reason.CUSTOMER)
        order = _own(connection, order_id, customer)
        check_cancellable(State(order["state"]))
        return order


def get_order(database: Database, caller: Caller, order_id: str) -> Record:
    """Raises NotFound, or Forbidden for another customer's order."""
    with database.look() as connection:
        return _own(connection, order_id, caller)


def list_orders(
    database: Database, customer_id: str | None, limit: int, cursor: str | None
) -> tuple[list[Record], str | None]:
    """A page of a customer's orders, or of everybody's (None), newest first, and the next cursor."""
    statement = select(orders).order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(limit + 1)
    if customer_id is not None:
        statement = statement.where(orders.c.customer_id == customer_id)
    if cursor is not None:
        statement = statement.where(tuple_(orders.c.created_at, orders.c.id) < decode_moment(cursor))
    with database.read() as connection:
        rows: Sequence[Record] = connection.execute(statement).mappings().all()  # type: ignore[assignment]
    return paged(rows, limit, lambda order: [order["created_at"].isoformat(), order["id"]])


def _own(unit: Unit, order_id: str, caller: Caller) -> Record:
    order = _BY_ID.row(unit, {"order_id": order_id})
    if order is None:
        raise NotFound(f"there is no order {order_id}")
    if order["customer_id"] != caller.id and "operator" not in caller.roles:
        raise Forbidden("this is another customer's order")
    return order
