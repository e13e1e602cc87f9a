"""The wiring of orders: what is plugged into what."""

from functools import partial

from apiflask import APIFlask

from chassis.background import Periodic, add_background
from chassis.calls import use_calls
from chassis.database import use_database
from chassis.faults import use_faults
from chassis.housekeeping import use_housekeeping
from chassis.identity import use_identity
from chassis.inbox import use_inbox
from chassis.relay import use_outbox
from chassis.web import make_app
from orders import events, saga
from orders.admission import Admission
from orders.routes import routes
from orders.settings import Settings


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    database = use_database(app, settings)  # readiness asks it
    calls = use_calls(app, settings)  # discovery, balancing, deadline, retries, breaker
    use_identity(app, settings, calls)  # who is asking
    use_outbox(app, settings, database, calls)  # events out
    use_inbox(app, events.handlers(database))  # events in
    app.extensions["orders.admission"] = Admission(database, settings.most_open_orders)
    use_housekeeping(app, settings, database)
    use_faults(app, settings, *saga.POINTS)
    add_background(app, Periodic("deadlines", settings.sweep_s, partial(saga.cancel_overdue, database)))
    app.register_blueprint(routes)
    return app
