"""The wiring of the bank: what is plugged into what."""

import threading

from apiflask import APIFlask

from bank.routes import routes
from bank.settings import Settings
from chassis.calls import use_calls
from chassis.database import use_database
from chassis.web import make_app


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    use_database(app, settings)  # readiness asks it
    use_calls(app, settings)  # the bank calls nobody, but is found through the registry
    counters = max(1, settings.threads - settings.spare_threads)
    app.extensions["bank.counters"] = threading.BoundedSemaphore(counters)
    app.register_blueprint(routes)
    return app
