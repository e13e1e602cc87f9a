"""The wiring: what is made of what."""

from registry.agent import OWN_ID, Agent
from registry.agent_routes import AgentRoutes
from registry.blocking import Watches
from registry.catalog_routes import CatalogRoutes
from registry.checks import Checker
from registry.definitions import ServiceDefinition
from registry.kv import KeyValues
from registry.kv_routes import KeyValueRoutes
from registry.routes import table
from registry.settings import Settings
from registry.shapes import SERVER_PORT, Node
from registry.store import Store
from registry.web import Router


def create_app(settings: Settings) -> Router:
    """The WSGI application, with its clock running. For a gevent worker: a watcher is a greenlet."""
    node = Node.here(settings.host)
    watches = Watches()
    store = Store(watches)
    checker = Checker(store)
    agent = Agent(store, checker, ServiceDefinition(name=OWN_ID, id=OWN_ID, port=SERVER_PORT))
    pairs = KeyValues(settings.database, watches)
    checker.start(remove=agent.deregister)
    routes = table(AgentRoutes(agent, node), CatalogRoutes(store, watches, node), KeyValueRoutes(pairs, watches))
    return Router(routes)
