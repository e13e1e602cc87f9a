"""What customers do with orders: place, cancel, look. The rest of an order's life is in saga.py."""

import uuid
from datetime import timedelta

from sqlalchemy import select, tuple_

from chassis.database import Database, utc_now
from chassis.errors import Forbidden, NotFound, Unprocessable
from chassis.idempotency import Answer, Key, store
from chassis.identity import Caller
from chassis.outbox import publish
from chassis.paging import decode_moment, paged
from orders.admission import Admission
from orders.clients import Catalog, Product
from orders.domain import Line, Reason, State, check_cancellable, check_card, merge_quantities
from orders.models import Order, OrderLine, Transition
from orders.schemas import PlaceOrder, order_answer
from orders.transitions import SEQ, describe, finish


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
    now = utc_now()
    order = Order(
        id=str(uuid.uuid4()), customer_id=customer.id, state=State.PENDING, reason=None, currency=currency,
        total_cents=sum(line.total_cents for line in lines), card=wanted.payment.card,
        deadline=now + timedelta(seconds=deadline_s), created_at=now,
        lines=[
            OrderLine(sku=line.sku, name=line.name, quantity=line.quantity, price_cents=line.price_cents)
            for line in lines
        ],
        history=[Transition(seq=SEQ[State.PENDING], state=State.PENDING, at=now)],
    )  # fmt: skip
    with database.transaction() as session:
        answer = store(session, key, Answer(202, order_answer(order), location=f"/api/orders/{order.id}"))
        session.add(order)
        publish(session, "order.placed", order.id, describe(order))
    return answer


def price(quantities: dict[str, int], products: dict[str, Product]) -> tuple[list[Line], str]:
    """The lines at today's prices, in sku order, and their currency. Raises Unprocessable."""
    if unknown := sorted(set(quantities) - set(products)):
        errors = [{"field": "lines", "message": f"there is no product {sku}"} for sku in unknown]
        raise Unprocessable("some of these products do not exist", errors=errors)
    currencies = {products[sku].currency for sku in quantities}
    if len(currencies) > 1:
        raise Unprocessable(f"one order has one currency, not {' and '.join(sorted(currencies))}")
    lines = [Line(s, n, products[s].price_cents, products[s].name) for s, n in sorted(quantities.items())]
    return lines, currencies.pop()


def cancel_order(database: Database, customer: Caller, order_id: str) -> Order:
    """Cancel at the customer's wish; a cancelled order stays as it is. Raises Conflict when it is confirmed."""
    with database.transaction() as session:
        _own(session.get(Order, order_id), order_id, customer)
        finish(session, order_id, State.CANCELLED, Reason.CUSTOMER)
        order = _own(session.get(Order, order_id, populate_existing=True), order_id, customer)
        check_cancellable(State(order.state))
        return order


def get_order(database: Database, caller: Caller, order_id: str) -> Order:
    """Raises NotFound, or Forbidden for another customer's order."""
    with database.reading() as session:
        return _own(session.get(Order, order_id), order_id, caller)


def list_orders(
    database: Database, customer_id: str | None, limit: int, cursor: str | None
) -> tuple[list[Order], str | None]:
    """A page of a customer's orders, or of everybody's (None), newest first, and the next cursor."""
    statement = select(Order).order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1)
    if customer_id is not None:
        statement = statement.where(Order.customer_id == customer_id)
    if cursor is not None:
        statement = statement.where(tuple_(Order.created_at, Order.id) < decode_moment(cursor))
    with database.reading() as session:
        rows = session.scalars(statement).all()
    return paged(rows, limit, lambda order: [order.created_at.isoformat(), order.id])


def _own(order: Order | None, order_id: str, caller: Caller) -> Order:
    if order is None:
        raise NotFound(f"there is no order {order_id}")
    if order.customer_id != caller.id and "operator" not in caller.roles:
        raise Forbidden("this is another customer's order")
    return order
