"""The broker shares the events of orders among its replicas."""

from collections import Counter

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.dimensions(events="rabbitmq")]


def test_each_message_is_taken_by_one_replica_and_all_have_a_share(replicas, customer) -> None:
    placed = [customer.place({"SOUK-000001": 1}) for _ in range(20)]
    orders = [customer.follow(order) for order in placed]
    assert {order["state"] for order in orders} == {"CONFIRMED"}
    assert "0 findings" in replicas.audit()

    ours = {order["id"] for order in orders}
    taken = [line for line in replicas.logs("orders") if line["event"] == "event" and line["subject"] in ours]
    assert set(Counter((line["type"], line["subject"]) for line in taken).values()) == {1}
    assert len(taken) == 2 * len(placed)  # stock.reserved and payment.captured
    assert {line["instance"] for line in taken} == set(replicas.registered("orders"))
