"""A container's row in `souk status`: what the engine says, and what the registry says, in one word."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.compose import status
from deploy.local.health import Registered


def container(service="orders", health="healthy", age_s=300, **state):
    labels = {"com.docker.compose.service": service, "com.docker.compose.container-number": "2"}
    started = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat().replace("+00:00", "000Z")
    known = {"Running": True, "Paused": False, "Restarting": False, "Pid": 77, "StartedAt": started}
    if health:
        known["Health"] = {"Status": health}
    return {
        "Id": "c" * 64, "Name": "/shop-orders-2", "Config": {"Labels": labels}, "State": known | state,
        "NetworkSettings": {"Networks": {"events": {"IPAddress": "10.1.0.2"}, "internal": {"IPAddress": "10.0.0.2"}}},
    }  # fmt: skip


def listed(health, service="orders", address="10.0.0.2"):
    other = Registered("other", service, "10.0.0.9", 8000, "passing")
    return [other, Registered("o-2", service, address, 8000, health)]


def test_one_that_is_listed_has_the_registrys_id_address_and_word():
    row = status.row(container(), listed("warning"), registers=True)
    assert (row["id"], row["address"], row["port"], row["health"]) == ("o-2", "10.0.0.2", 8000, "warning")
    assert (row["pid"], row["name"]) == (77, "shop-orders-2")
    assert 299 <= row["uptime_s"] <= 310


@pytest.mark.parametrize(
    ("known", "registers", "state", "health"),
    [
        ([], True, {}, "critical"),
        ([], True, {"age_s": 5}, "starting"),
        (None, True, {}, "warning"),
        (None, True, {"health": "unhealthy"}, "critical"),
        (None, True, {"health": "starting"}, "starting"),
        (listed("passing", service="carts"), True, {}, "critical"),
        (listed("passing", address="10.0.0.77"), True, {}, "critical"),
        (listed("passing"), True, {"Paused": True}, "passing"),
        ([], True, {"Paused": True}, "critical"),
        ([], False, {}, "passing"),
        (None, False, {}, "passing"),
        (None, False, {"health": None}, "passing"),
        (None, False, {"Paused": True}, "critical"),
        (listed("passing"), True, {"Running": False}, "stopped"),
        (listed("passing"), True, {"Restarting": True}, "stopped"),
    ],
)  # fmt: skip
def test_health_is_the_registrys_word_or_else_the_containers_own(known, registers, state, health):
    assert status.row(container(**state), known, registers)["health"] == health


def test_what_does_not_run_has_no_pid():
    row = status.row(container(Running=False), [], registers=True)
    assert (row["pid"], row["uptime_s"], row["id"]) == (None, 0.0, "shop-orders-2")


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}}, 70),
        ({"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}}, 60),
        ({"memory_stats": {}}, 0),
        ({}, 0),
    ],
)
def test_memory_is_without_the_pages_that_can_be_given_back(usage, found):
    assert status.memory_bytes(usage) == found
