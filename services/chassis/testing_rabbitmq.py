"""A RabbitMQ for tests: the one that RABBITMQ_URL names, else one of our own where the program is installed.

A test that is marked `over_both_carriers` runs with HTTP push and with RabbitMQ, each time on a virtual host of its
own, and is skipped where there is none.
"""

from collections.abc import Iterator

import pytest

from chassis.rabbitmq_server import Broker, NoRabbitMQ, OwnBroker, any_broker, own_broker, virtual_host
from chassis.testing_dimensions import DIMENSIONS, server_or_skip

# All on one worker of pytest-xdist, so that one server is enough.
on_rabbitmq = pytest.mark.xdist_group("rabbitmq")
over_both_carriers = pytest.mark.parametrize(
    "events_url",
    [pytest.param(name, marks=[on_rabbitmq] if name == "rabbitmq" else []) for name in DIMENSIONS["events"]],
    indirect=True,
)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """A server for all tests of this process."""
    with server_or_skip("RabbitMQ", any_broker, NoRabbitMQ) as broker:
        yield broker


@pytest.fixture
def events_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """EVENTS_URL: empty for HTTP push, unless the test is marked `over_both_carriers` and now runs by RabbitMQ."""
    by_broker = getattr(request, "param", "push") == "rabbitmq"
    yield request.getfixturevalue("broker_url") if by_broker else ""


@pytest.fixture
def broker_url(rabbitmq: Broker) -> Iterator[str]:
    """EVENTS_URL: an empty virtual host."""
    with virtual_host(rabbitmq) as url:
        yield url


@pytest.fixture(scope="module")
def own_rabbitmq() -> Iterator[OwnBroker]:
    """A server that may be killed and started again; never the one of RABBITMQ_URL."""
    with server_or_skip("RabbitMQ", own_broker, NoRabbitMQ) as broker:
        yield broker
