"""The wiring of inventory: what is plugged into what."""

from apiflask import APIFlask

from chassis.calls import use_calls
from chassis.database import use_database
from chassis.faults import use_faults
from chassis.housekeeping import use_housekeeping
from chassis.identity import use_identity
from chassis.inbox import use_inbox
from chassis.relay import use_outbox
from chassis.web import make_app
from inventory import events
from inventory.routes import routes
from inventory.settings import Settings


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    database = use_database(app, settings)  # readiness asks it
    calls = use_calls(app, settings)  # the relay and identity ask neighbours by it
    use_identity(app, settings, calls)  # who is asking
    use_outbox(app, settings, database, calls)  # events out
    use_inbox(app, events.handlers(database))  # events in
    use_housekeeping(app, settings, database)
    use_faults(app, settings)
    app.register_blueprint(routes)
    return app
