"""RabbitMQ between the services, by one setting: `EVENTS_URL`. Who is plugged in where."""

from flask import Flask

from chassis.background import add_background
from chassis.broker_consumer import Consumer
from chassis.broker_dead import use_dead_letters
from chassis.broker_publisher import BrokerCarrier, Publisher
from chassis.inbox import Handlers
from chassis.settings import ChassisSettings


def carrier(app: Flask, settings: ChassisSettings) -> BrokerCarrier:
    """For the relay."""
    return BrokerCarrier(_publisher(app, settings), settings.service)


def consume(app: Flask, settings: ChassisSettings, handlers: Handlers) -> None:
    """Give what waits at the broker to these handlers, as `POST /events` does."""
    publisher = _publisher(app, settings)
    consumer = Consumer(app, settings, publisher, handlers)
    use_dead_letters(app, settings, publisher)
    app.extensions["souk.consumer"] = consumer
    add_background(app, consumer)


def _publisher(app: Flask, settings: ChassisSettings) -> Publisher:
    """One per process. Made before the relay and the consumer, so that it stops after them."""
    if (publisher := app.extensions.get("souk.publisher")) is None:
        names = {name for subscribers in settings.event_routes.values() for name in subscribers}
        publisher = app.extensions["souk.publisher"] = Publisher(settings.events_url, sorted(names))
        add_background(app, publisher)
    return publisher
