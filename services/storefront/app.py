"""The wiring of the storefront: what is plugged into what."""

from apiflask import APIFlask
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from chassis.calls import use_calls
from chassis.web import make_app
from storefront.clients import Neighbours
from storefront.pages import use_pages
from storefront.routes import shop
from storefront.routes_account import account
from storefront.routes_orders import orders
from storefront.session import use_sessions
from storefront.settings import Settings


def create_app(settings: Settings) -> APIFlask:
    app = make_app(settings, forms=True)  # errors, health, metrics, one log line per request
    calls = use_calls(app, settings)  # discovery, balancing, deadline, retries, breaker
    app.extensions["storefront.neighbours"] = Neighbours(calls, settings.soft_timeout_s)
    use_sessions(app, settings)  # who is signed in
    CSRFProtect(app)  # every POST
    use_pages(app)  # headers, template helpers, errors as pages
    for blueprint in (shop, account, orders):
        app.register_blueprint(blueprint)
    return app
