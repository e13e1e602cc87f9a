"""How the database finds what is asked for: with 100,000 products a full scan or a sort would be felt."""

from contextlib import closing

import pytest
from sqlalchemy import event

from catalog.tests.helpers import put


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("products?limit=100", "autoindex_products"),
        ("products?sku=A&sku=B", "autoindex_products"),
        ("products/A", "autoindex_products"),
        ("products?category=Tea", "products_by_category"),
        ("categories", "products_by_category"),
    ],
)
def test_no_list_but_a_search_reads_or_sorts_all_products(app, client, path, index):
    put(client, "A")
    engine, statements = app.extensions["souk.database"].engine, []

    @event.listens_for(engine, "checkout")
    def listen(driver, _record, _proxy):
        driver.set_trace_callback(statements.append)

    assert client.get(f"/api/catalog/{path}").status_code == 200
    event.remove(engine, "checkout", listen)
    with closing(engine.raw_connection()) as connection:
        connection.driver_connection.set_trace_callback(None)
        asked = [text for text in statements if "FROM products" in text]
        plans = [row[-1] for text in asked for row in connection.cursor().execute(f"EXPLAIN QUERY PLAN {text}")]
    assert plans
    assert all(index in step for step in plans), plans
    assert not any("TEMP B-TREE" in step for step in plans), plans
