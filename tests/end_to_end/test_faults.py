"""Replicas are killed under way: what was answered with 202 comes to its end, and every promise holds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.rush import crowd, follow_all

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.dimensions("database", "events")]
SKU, CUSTOMERS, ROUNDS = "SOUK-000060", 6, 4


@pytest.mark.parametrize("service", ["orders"])
def test_a_replica_dies_under_orders_and_none_is_lost(replicas, service: str) -> None:
    customers = crowd(replicas, CUSTOMERS)
    begun = threading.Barrier(CUSTOMERS + 1)

    def shop(customer):
        answers = []
        for number in range(ROUNDS):
            answers.append(customer.insist({SKU: 1}))
            if number == 0:
                begun.wait(90)
        return answers

    with ThreadPoolExecutor(CUSTOMERS) as pool:
        shopping = [pool.submit(shop, customer) for customer in customers]
        begun.wait(90)
        assert "KILL sent" in replicas.souk("kill", service)
        answers = [done.result() for done in shopping]

    assert {answer.status_code for each in answers for answer in each} == {202}
    for number in range(ROUNDS):
        ends = follow_all(customers, [each[number] for each in answers])
        assert {order["state"] for order in ends} <= {"CONFIRMED", "CANCELLED"}
    # A key that was repeated because its answer was lost has made no second order.
    for customer in customers:
        assert len(customer.get("/api/orders", params={"limit": 100})["items"]) == ROUNDS
    assert "0 findings" in replicas.audit()
