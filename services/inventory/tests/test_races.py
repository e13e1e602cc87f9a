"""Several replicas, each with an engine of its own, on one database: what must hold whoever is faster."""

import threading

from chassis.testing import published
from chassis.testing_postgres import on_both_databases
from inventory.tests.helpers import (
    assert_the_books_agree,
    count,
    deliver,
    order,
    reservations,
    stock,
)

pytestmark = on_both_databases


def test_fifty_orders_at_once_over_three_replicas_get_the_last_ten_pieces(app, client, make_app):
    count(client, "LAMP", 10)
    replicas = [app, make_app(), make_app()]
    _race(replicas, [order("order.placed", f"o{number}", ("LAMP", 1)) for number in range(50)])
    states = list(reservations(client).values())
    assert (states.count("RESERVED"), states.count("REJECTED"), len(states)) == (10, 40, 50)
    assert stock(client, "LAMP") == (10, 10)
    told = [e["type"] for e in published(app)]
    assert (told.count("stock.reserved"), told.count("stock.rejected")) == (10, 40)
    assert_the_books_agree(client)


def test_orders_that_want_the_same_products_in_different_orders_all_get_an_answer(app, client, make_app):
    skus = ("A", "B", "C", "D")
    for sku in skus:
        count(client, sku, 1000)
    turned = [[(skus[(start + step) % 4], 1) for step in range(4)] for start in range(4)]
    events = [order("order.placed", f"o{number}", *turned[number % 4]) for number in range(24)]
    _race([app, make_app(), make_app()], events)
    assert list(reservations(client).values()) == ["RESERVED"] * 24
    assert {stock(client, sku) for sku in skus} == {(1000, 24)}


def test_of_placed_and_cancelled_at_once_on_two_replicas_nothing_stays_reserved(app, client, make_app):
    count(client, "LAMP", 12)
    events = []
    for number in range(12):
        events += [order(f"order.{what}", f"o{number}", ("LAMP", 1)) for what in ("placed", "cancelled")]
    _race([app, make_app()], events)
    assert set(reservations(client).values()) <= {"RELEASED", "CANCELLED"}
    assert stock(client, "LAMP") == (12, 0)
    assert_the_books_agree(client)


def test_an_operator_who_counts_while_orders_come_never_goes_below_what_is_reserved(app, client, make_app):
    count(client, "LAMP", 20)
    events = [order("order.placed", f"o{number}", ("LAMP", 1)) for number in range(20)]
    other, statuses = make_app().test_client(), []
    counting = threading.Thread(target=lambda: statuses.extend(count(other, "LAMP", 5).status_code for _ in range(10)))
    counting.start()
    _race([app], events)
    counting.join()
    assert set(statuses) <= {200, 409, 503}
    assert_the_books_agree(client)


def _race(replicas, events):
    """Deliver all at once, each from a thread of its own, the replicas in turn."""
    barrier = threading.Barrier(len(events))

    def send(number):
        client = replicas[number % len(replicas)].test_client()
        barrier.wait()
        deliver(client, events[number])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(events))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
