"""The wiring of payments: what is plugged into what."""

from datetime import timedelta

from apiflask import APIFlask

from chassis.background import add_background
from chassis.calls import use_calls
from chassis.database import use_database, utc_now
from chassis.faults import use_faults
from chassis.housekeeping import use_housekeeping
from chassis.identity import use_identity
from chassis.inbox import use_inbox
from chassis.relay import use_outbox
from chassis.web import make_app
from payments import events, settling, usecases
from payments.clients import Bank
from payments.routes import internal_routes, routes
from payments.settings import Settings
from payments.worker import Workers


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    database = use_database(app, settings)  # readiness asks it
    calls = use_calls(app, settings)  # discovery, balancing, deadline, retries, breaker
    use_identity(app, settings, calls)  # who is asking
    use_outbox(app, settings, database, calls)  # events out
    app.extensions["payments.bank"] = bank = Bank(calls, settings.bank_timeout_s)
    workers = Workers(database, bank, settings.workers, settings.claim_s)
    add_background(app, workers)  # they ask the bank, so that no request has to
    use_inbox(app, events.handlers(database, workers))  # events in
    keep = timedelta(days=settings.keep_days)
    use_housekeeping(app, settings, database, lambda s: usecases.forget_tombstones(s, utc_now() - keep))
    use_faults(app, settings, *settling.POINTS)
    app.register_blueprint(routes)
    app.register_blueprint(internal_routes)
    return app
