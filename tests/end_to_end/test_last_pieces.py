"""Fifty customers want the last ten pieces, and three replicas of inventory sell them."""

from collections import Counter

import pytest

from bench.rush import crowd, follow_all, order_at_once
from bench.system import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.dimensions("database", "events")]
SKU, PIECES, CUSTOMERS = "SOUK-000030", 10, 50


def test_the_last_ten_pieces_are_sold_exactly_once(replicas, operator) -> None:
    customers = crowd(replicas, CUSTOMERS)
    operator.must("PUT", f"/api/inventory/stock/{SKU}", json={"on_hand": PIECES})

    answers = order_at_once(customers, SKU)
    orders = follow_all(customers, answers)

    ends = Counter((order["state"], order["reason"]) for order in orders)
    assert ends == {("CONFIRMED", None): PIECES, ("CANCELLED", "out_of_stock"): CUSTOMERS - PIECES}
    assert len({order["id"] for order in orders}) == CUSTOMERS

    def sold_out() -> bool:
        stock = operator.get(f"/api/inventory/stock/{SKU}")
        return (stock["on_hand"], stock["reserved"], stock["available"]) == (0, 0, 0)

    eventually(sold_out, lambda: operator.get(f"/api/inventory/stock/{SKU}"))
    assert "0 findings" in replicas.audit()
    working = {
        line["instance"]
        for line in replicas.logs("inventory")
        if line.get("path") == "/events" or line["event"] == "event"
    }
    assert working >= set(replicas.registered("inventory")), "all three replicas took part"
