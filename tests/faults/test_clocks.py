"""Clocks that differ by up to a minute between services: orders end as they should, and tokens are good."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.customer import DECLINED
from bench.system import System

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(300)]

SKU = "SOUK-000095"
SKEWS = [
    {"orders": 30, "payments": -30, "accounts": 30},
    {"orders": -30, "payments": 30, "accounts": -30, "inventory": 30},
]


@pytest.mark.parametrize("skews_s", SKEWS, ids=str)
def test_services_whose_clocks_differ(skews_s: dict[str, int]) -> None:
    with System(**another_clock(skews_s)) as shop:
        shop.up()
        customer = shop.customer()
        for _ in range(3):
            order = customer.follow(customer.place({SKU: 1}))
            assert order["state"] == "CONFIRMED", order
            placed = datetime.fromisoformat(order["history"][0]["at"])
            assert abs((placed - datetime.now(UTC)).total_seconds() - skews_s["orders"]) < 15, "its clock is not off"
        assert customer.follow(customer.place({SKU: 1}, DECLINED))["reason"] == "payment_declined"

        shop.souk("keys", "rotate")
        renewed = shop.customer()  # both tokens are good, before and after the new key signs
        for path in ("/api/orders", "/api/carts/mine", "/api/notifications", "/api/accounts/me"):
            for who in (customer, renewed):
                who.get(path)
        assert len(customer.get("/api/notifications")["items"]) == 5
        assert "0 findings" in shop.audit()


def another_clock(skews_s: dict[str, int]) -> dict[str, str]:
    """Settings of a system in which these services' clocks are ahead of ours, or behind, by so many seconds."""
    settings = {}
    for service, ahead_s in skews_s.items():
        own = {"CLOCK_AHEAD_S": str(ahead_s), "PYTHONPATH": str(Path(__file__).with_name("skewed"))}
        settings |= {f"{service.upper()}__{name}": value for name, value in own.items()}
    return settings
