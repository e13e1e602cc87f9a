"""Events by RabbitMQ, with a real server: what is different from HTTP push."""

import pytest

from chassis.testing import eventually
from chassis.testing_rabbitmq import on_rabbitmq
from chassis.tests.toy import add, toy_app, value

pytestmark = on_rabbitmq
TO_ITSELF = {"thing.counted": ["toy"]}


@pytest.fixture
def running():
    """Starts all that runs beside an application, and stops it at the end."""
    started = []

    def start(app):
        for background in app.extensions["souk.background"]:
            background.start()
            started.append(background)
        return app

    yield start
    for background in reversed(started):
        background.stop()


def database_of(app):
    return app.extensions["souk.database"]


def test_an_event_goes_to_the_broker_and_has_its_effect(tmp_path, events_url, running):
    app = running(toy_app(tmp_path, event_routes=TO_ITSELF, events_url=events_url))
    add(database_of(app), "apples")
    eventually(lambda: value(app, "apples") == 2)
