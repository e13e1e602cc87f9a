"""The wiring of carts: what is plugged into what."""

from apiflask import APIFlask

from carts import events
from carts.routes import routes
from carts.settings import Settings
from chassis.calls import use_calls
from chassis.database import use_database
from chassis.faults import use_faults
from chassis.housekeeping import use_housekeeping
from chassis.identity import use_identity
from chassis.inbox import use_inbox
from chassis.web import make_app


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    database = use_database(app, settings)  # readiness asks it
    calls = use_calls(app, settings)  # discovery, balancing, deadline, retries, breaker
    use_identity(app, settings, calls)  # who is asking
    use_inbox(app, events.handlers(database))  # events in
    use_housekeeping(app, settings, database)
    use_faults(app, settings)
    app.register_blueprint(routes)
    return app
