import pytest
from sqlalchemy import update

from chassis.testing import as_service, event, published
from chassis.testing_postgres import on_both_databases
from inventory.models import Stock
from inventory.seed import seed
from inventory.settings import Settings
from inventory.tests.helpers import (
    assert_the_books_agree,
    count,
    deliver,
    order,
    read_all,
    reservations,
    stock,
)

pytestmark = on_both_databases


def test_an_order_reserves_all_of_its_lines_and_says_so(app, client):
    count(client, "LAMP", 10)
    count(client, "TEA", 5)
    deliver(client, order("order.placed", "o1", ("TEA", 5), ("LAMP", 2), ("LAMP", 1)))
    assert (stock(client, "LAMP"), stock(client, "TEA")) == ((10, 3), (5, 5))
    assert [(e["type"], e["subject"], e["data"]) for e in published(app)] == [
        ("stock.reserved", "o1", {"order_id": "o1"})
    ]
    assert_the_books_agree(client)


def test_an_order_with_one_line_too_many_reserves_nothing_and_names_the_sku(app, client):
    count(client, "LAMP", 10)
    count(client, "TEA", 5)
    deliver(client, order("order.placed", "o1", ("LAMP", 2), ("TEA", 6)))
    assert (stock(client, "LAMP"), stock(client, "TEA")) == ((10, 0), (5, 0))
    assert [(e["type"], e["data"]) for e in published(app)] == [
        ("stock.rejected", {"order_id": "o1", "reason": "out_of_stock", "sku": "TEA"})
    ]
    assert reservations(client) == {"o1": "REJECTED"}
    assert [movement["kind"] for movement in read_all(client, "movements")] == ["COUNTED", "COUNTED"]


def test_a_sku_that_inventory_has_never_heard_of_is_out_of_stock(app, client):
    deliver(client, order("order.placed", "o1", ("NEW", 1)))
    assert published(app)[0]["data"]["sku"] == "NEW"


def test_a_confirmed_order_takes_its_pieces_away(client):
    count(client, "LAMP", 10)
    lines = ("LAMP", 3)
    deliver(client, order("order.placed", "o1", lines), order("order.confirmed", "o1", lines))
    assert stock(client, "LAMP") == (7, 0)
    assert reservations(client) == {"o1": "COMMITTED"}
    assert_the_books_agree(client)


def test_a_cancelled_order_frees_its_pieces(client):
    count(client, "LAMP", 10)
    lines = ("LAMP", 3)
    deliver(client, order("order.placed", "o1", lines), order("order.cancelled", "o1", lines))
    assert stock(client, "LAMP") == (10, 0)
    assert reservations(client) == {"o1": "RELEASED"}
    assert_the_books_agree(client)


def test_cancelling_an_order_that_was_rejected_changes_nothing(client):
    count(client, "LAMP", 1)
    lines = ("LAMP", 3)
    deliver(client, order("order.placed", "o1", lines), order("order.cancelled", "o1", lines))
    assert (stock(client, "LAMP"), reservations(client)) == ((1, 0), {"o1": "REJECTED"})


def test_an_order_that_was_cancelled_before_it_was_placed_reserves_nothing_and_says_nothing(app, client):
    count(client, "LAMP", 10)
    lines = ("LAMP", 3)
    deliver(client, order("order.cancelled", "o1", lines), order("order.placed", "o1", lines))
    assert (stock(client, "LAMP"), reservations(client)) == ((10, 0), {"o1": "CANCELLED"})
    assert published(app) == []


def test_an_order_that_was_confirmed_before_it_was_placed_takes_its_pieces_once(app, client):
    count(client, "LAMP", 10)
    lines = ("LAMP", 3)
    deliver(client, order("order.confirmed", "o1", lines), order("order.placed", "o1", lines))
    assert (stock(client, "LAMP"), reservations(client)) == ((7, 0), {"o1": "COMMITTED"})
    assert published(app) == []
    assert_the_books_agree(client)


@pytest.mark.parametrize("type_", ["order.placed", "order.confirmed", "order.cancelled"])
def test_an_event_that_comes_twice_has_its_effect_once(app, client, type_):
    count(client, "LAMP", 10)
    deliver(client, order("order.placed", "o1", ("LAMP", 3)))
    once = order(type_, "o1", ("LAMP", 3))
    again = {**once, "id": "the same news under another id"}
    deliver(client, once)
    after = stock(client, "LAMP")
    deliver(client, once, again)
    assert stock(client, "LAMP") == after
    assert len(published(app)) == 1
    assert_the_books_agree(client)


def test_confirming_what_was_rejected_is_refused_and_changes_nothing(client):
    count(client, "LAMP", 1)
    deliver(client, order("order.placed", "o1", ("LAMP", 3)))
    confirmed = order("order.confirmed", "o1", ("LAMP", 3))
    for _ in range(2):  # a refused event is not remembered as handled
        response = client.post("/events", json=confirmed, headers=as_service("inventory"))
        assert (response.status_code, response.mimetype) == (409, "application/problem+json")
    assert (stock(client, "LAMP"), reservations(client)) == ((1, 0), {"o1": "REJECTED"})


def test_a_new_product_has_stock_none_at_first_and_a_known_one_keeps_what_it_has(client):
    count(client, "LAMP", 10)
    for sku in ("LAMP", "NEW"):
        changed = {"sku": sku, "name": "A lamp", "price_cents": 100, "currency": "EUR"}
        deliver(client, event("product.changed", sku, source="/catalog", **changed))
    assert (stock(client, "LAMP"), stock(client, "NEW")) == ((10, 0), (0, 0))
    assert_the_books_agree(client)


def test_the_database_itself_refuses_to_oversell(app, client):
    count(client, "LAMP", 1)
    with pytest.raises(Exception, match="never_oversold"), app.extensions["souk.database"].transaction() as session:
        session.execute(update(Stock).values(reserved=2))


def test_a_seed_adds_what_is_missing_with_its_movements_and_says_nothing(app, client, tmp_path, database_url):
    settings = Settings(souk_home=tmp_path, database_url=database_url, seed_products=3, seed_stock=100)
    count(client, "SOUK-000002", 7)
    for _ in range(2):
        seed(settings)
    assert [(row["sku"], row["on_hand"]) for row in read_all(client, "stock")] == [
        ("SOUK-000001", 100), ("SOUK-000002", 7), ("SOUK-000003", 100),
    ]  # fmt: skip
    assert [m["operator"] for m in read_all(client, "movements")] == ["operator-1", "seed", "seed"]
    assert published(app) == []
    assert_the_books_agree(client)
