"""How the database finds what is asked for: with 100,000 products a full scan or a sort would be felt."""

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
    engine, plans = app.extensions["souk.database"].engine, []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(connection, _cursor, statement, parameters, _context, _many):
        if "FROM products" in statement and not statement.startswith("EXPLAIN"):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[-1] for row in plan)

    assert client.get(f"/api/catalog/{path}").status_code == 200
    event.remove(engine, "before_cursor_execute", explain)
    assert plans
    assert all(index in step for step in plans), plans
    assert not any("TEMP B-TREE" in step for step in plans), plans
