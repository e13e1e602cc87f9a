"""The database server that some tests here need."""

from chassis.testing_postgres import postgres
from chassis.testing_rabbitmq import broker_url, events_url, own_rabbitmq, rabbitmq

__all__ = ["broker_url", "events_url", "own_rabbitmq", "postgres", "rabbitmq"]
