"""Events in any order and any number: whatever comes, the books agree, and the end does not depend on the way."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from chassis.database import Database
from chassis.errors import Conflict
from chassis.inbox import Event, inbox
from chassis.outbox import deliveries
from chassis.testing import make_test_app, published
from inventory.app import create_app
from inventory.counting import add_missing
from inventory.events import handlers
from inventory.models import Movement, Reservation, Stock
from inventory.settings import Settings
from inventory.tests.helpers import order

SKUS = ("A", "B", "C")
ON_HAND = 6
ENDS = (None, "order.cancelled", "order.confirmed")

lines = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1).map(lambda lines: [*lines.items()])


@st.composite
def histories(draw):
    """Four orders with their ends, and the news about them: shuffled, some twice, some under a second id."""
    orders = draw(st.lists(st.tuples(lines, st.sampled_from(ENDS)), min_size=4, max_size=4))
    news = []
    for number, (wanted, end) in enumerate(orders):
        for type_ in ("order.placed", end):
            if type_:
                news.append(order(type_, f"o{number}", *wanted))
    again = draw(st.lists(st.sampled_from(news), max_size=4))
    others = draw(st.lists(st.sampled_from(news), max_size=4))
    renamed = [{**event, "id": f"{event['id']} again"} for event in others]
    return orders, draw(st.permutations(news + again + renamed))


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    routes = {"stock.reserved": ["orders"], "stock.rejected": ["orders"]}
    return make_test_app(create_app, Settings, tmp_path_factory.mktemp("inventory"), event_routes=routes)


@settings(max_examples=60, deadline=None, database=None)
@given(history=histories())
def test_in_any_order_and_however_often_the_books_agree_and_every_order_ends_as_it_should(app, history):
    orders, news = history
    database = app.extensions["souk.database"]
    _start_anew(database)
    refused = _deliver(database, news)
    refused = _deliver(database, refused)  # as the relay does: what was refused once may be taken later
    states = _states(database)
    for number, (_, end) in enumerate(orders):
        _check_end(end, states[f"o{number}"], any(event["subject"] == f"o{number}" for event in refused))
    _check_what_was_said(app, states)


def _deliver(database, news):
    """Gives the events that were refused."""
    refused = []
    for event in news:
        before = _books(database)
        try:
            handlers(database)[event["type"]](Event(**event))
        except Conflict:
            refused.append(event)
            assert _books(database) == before, "a refused event left something behind"
        _check(database)
    return refused


def _check_end(end, state, was_refused):
    if end is None:
        assert state in ("RESERVED", "REJECTED")
    elif end == "order.cancelled":
        assert state in ("RELEASED", "REJECTED", "CANCELLED")
        assert not was_refused
    else:  # of what could not be had nothing is taken, whatever somebody confirmed
        assert state == "COMMITTED" or (state == "REJECTED" and was_refused)


def _check_what_was_said(app, states):
    told = {}
    for event in published(app):
        assert event["subject"] not in told, "an order got two answers"
        told[event["subject"]] = event["type"]
    for order_id, state in states.items():
        if state in ("RESERVED", "RELEASED"):
            assert told[order_id] == "stock.reserved"
        elif state == "REJECTED":
            assert told[order_id] == "stock.rejected"
        elif state == "CANCELLED":
            assert order_id not in told


def _start_anew(database: Database):
    with database.transaction() as session:
        for table in (Stock, Reservation, Movement, inbox, deliveries):
            session.execute(delete(table))
    add_missing(database, SKUS, ON_HAND)


def _books(database: Database):
    with database.reading() as session:
        tables = (Stock.__table__, Reservation.__table__, Movement.__table__, inbox)
        return [session.execute(select(table)).all() for table in tables]


def _states(database: Database):
    with database.reading() as session:
        return {row.order_id: row.state for row in session.scalars(select(Reservation))}


def _check(database: Database):
    with database.reading() as session:
        held, left, moved = Counter(), Counter(), Counter()
        for reservation in session.scalars(select(Reservation)):
            for line in reservation.lines:
                held[line["sku"]] += line["quantity"] * (reservation.state == "RESERVED")
                left[line["sku"]] += line["quantity"] * (reservation.state == "COMMITTED")
        for movement in session.scalars(select(Movement)):
            moved[movement.sku, "on_hand"] += movement.on_hand_delta
            moved[movement.sku, "reserved"] += movement.reserved_delta
        for row in session.scalars(select(Stock)):
            assert row.on_hand >= row.reserved >= 0
            assert row.reserved == held[row.sku] == moved[row.sku, "reserved"]
            assert row.on_hand == ON_HAND - left[row.sku] == moved[row.sku, "on_hand"]
