"""The whole system with a real Consul in the place of our registry."""

from pathlib import Path

import pytest

from bench.system import System
from registry.testing import consul_binary, start_consul

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.mark.skipif(
    not consul_binary(), reason="there is no Consul: put `consul` on the PATH, or its path in CONSUL_BIN"
)
def test_an_order_is_confirmed_with_a_real_consul(tmp_path: Path) -> None:
    with start_consul(tmp_path) as consul, System(DISCOVERY_URL=f"consul://127.0.0.1:{consul.port}") as system:
        system.up()
        rows = system.instances()
        assert "registry" not in {row["service"] for row in rows}
        assert {row["health"] for row in rows} == {"passing"}
        customer = system.customer()
        assert customer.follow(customer.place({"SOUK-000001": 1}))["state"] == "CONFIRMED"
        assert "0 findings" in system.audit()
        system.souk("down")
        assert system.processes() == []
