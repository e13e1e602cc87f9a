"""The database server or the broker is killed under load and stays away for a while: nothing is lost, nobody restarts.

Without the broker everything is answered, and events wait in the outboxes. Without the database a service says 503.
"""

import pytest

from bench.combined import Combined
from bench.load import OpenLoad
from bench.system import eventually
from bench.verdicts import describe, fails, nothing_is_lost

pytestmark = [pytest.mark.system, pytest.mark.faults, pytest.mark.timeout(300)]
RATE, MIX, AWAY_S = 15, "page=6,look=2,order=2", 4.0


@pytest.fixture
def lives(system: Combined):
    """What runs; afterwards the same processes have to."""
    before = pids(system)
    yield
    assert pids(system) == before, "somebody was restarted"


def pids(system: Combined) -> dict[str, int]:
    return {row["id"]: row["pid"] for row in system.instances()}


@pytest.mark.usefixtures("lives")
@pytest.mark.dimensions("database", "registry", events="rabbitmq")
def test_without_the_broker_everything_is_answered_and_no_event_is_lost(system: Combined) -> None:
    with OpenLoad(system, RATE, MIX) as load:
        load.during(lambda: system.away("broker", AWAY_S))
        load.span(2)
    print(describe("broker away", load.samples))
    assert not fails(load.samples)
    nothing_is_lost(system, load.samples)


@pytest.mark.usefixtures("lives")
@pytest.mark.dimensions("events", "registry", database="postgresql")
def test_without_the_database_services_say_503_and_nothing_is_lost(system: Combined) -> None:
    with OpenLoad(system, RATE, MIX) as load:
        away = load.during(lambda: system.away("database", AWAY_S))
        eventually(lambda: system.visitor().ask("GET", "/api/catalog/products?limit=1").ok)
        again = load.span(5)
    print(describe("database away", load.samples, ("away", away), ("again", again)))
    failed = load.samples.failed
    assert failed.all, "nobody noticed"
    assert {sample.status for sample in failed.all} == {503}, failed.reasons()
    assert not load.samples.between(*again).failed.all
    nothing_is_lost(system, load.samples)
