"""The whole system with RabbitMQ between the services."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection

from bench.system import System
from chassis.testing import eventually
from chassis.testing_rabbitmq import broker_url, on_rabbitmq, rabbitmq

__all__ = ["broker_url", "rabbitmq"]

pytestmark = [pytest.mark.system, on_rabbitmq, pytest.mark.timeout(300)]


def events(system: System, service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(replica, what it says) of each event that was handed to a service."""
    for path in (system.home / "logs").glob(f"{service}-*.log"):
        for line in path.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") == "event":
                yield path.stem, said


def refused(system: System, service: str) -> int:
    return sum(said["status"] == 422 for _, said in events(system, service))


def test_orders_are_confirmed_by_a_broker_and_each_message_is_taken_by_one_replica(broker_url: str) -> None:
    with System(EVENTS_URL=broker_url, CARTS__EVENT_MAX_TRIES="2") as system:
        system.up()
        system.scale(orders=3)
        customer = system.customer()
        placed = [customer.place({"SOUK-000001": 1}) for _ in range(20)]
        assert {customer.follow(order)["state"] for order in placed} == {"CONFIRMED"}
        assert "0 findings" in system.audit()
        taken = Counter((said["type"], said["subject"]) for _, said in events(system, "orders"))
        assert set(taken.values()) == {1}
        assert len(taken) == 2 * len(placed)  # stock.reserved and payment.captured
        assert len({replica for replica, _ in events(system, "orders")}) == 3

        # What nobody understands is listed, keeps the audit from being clean, and can be retried.
        with Connection(broker_url) as connection:
            connection.Producer().publish(
                "{}", exchange="souk.events", routing_key="carts", serializer=None, content_type="text/plain",
                content_encoding="utf-8", user_id=connection.userid, message_id="by-hand",
            )  # fmt: skip
        eventually(lambda: json.loads(system.souk("events", "list", "--json")))
        (dead,) = json.loads(system.souk("events", "list", "--json"))
        assert (dead["service"], dead["seq"], dead["state"], dead["tries"]) == ("carts", "by-hand", "dead", 2)
        audited = system.run("audit", "--within", "0")
        assert audited.returncode == 1 and "carts event by-hand: no event is dead" in audited.stdout
        system.souk("events", "retry", "carts", "by-hand")
        eventually(lambda: refused(system, "carts") == 4)
