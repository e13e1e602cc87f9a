"""The wiring of accounts: what is plugged into what."""

from functools import partial

from apiflask import APIFlask

from accounts import keys, usecases
from accounts.passwords import make_passwords
from accounts.routes import internal, routes
from accounts.settings import Settings
from chassis.calls import use_calls
from chassis.database import use_database
from chassis.faults import use_faults
from chassis.housekeeping import use_housekeeping
from chassis.identity import use_identity
from chassis.limits import SubjectLimits, shared_limits
from chassis.relay import use_outbox
from chassis.web import make_app


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings)  # errors, health, metrics, one log line per request
    database = use_database(app, settings)  # readiness asks it
    calls = use_calls(app, settings)  # the relay's way to its subscribers
    use_identity(app, settings, calls, fetch=partial(keys.key_set, database, settings.access_token_s))
    use_outbox(app, settings, database, calls)  # events out
    use_housekeeping(
        app, settings, database,
        usecases.forget_expired_tokens, partial(keys.forget_old_keys, settings.access_token_s),
    )  # fmt: skip
    use_faults(app, settings)
    app.extensions["accounts.passwords"] = make_passwords(settings)
    app.extensions["accounts.failures"] = _failure_limit(app, settings)
    app.register_blueprint(routes)
    app.register_blueprint(internal)
    return app


def _failure_limit(app: APIFlask, settings: Settings) -> SubjectLimits:
    """Loopback too: the storefront signs its visitors in from there. Only failures count, so no load test suffers."""
    per_min = settings.sign_in_failures_per_min
    shared = shared_limits(app, settings)
    return SubjectLimits(per_min / 60, loopback_too=True, burst=per_min, name="failures", shared=shared)
