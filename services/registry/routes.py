"""Everything that can be asked: one line a path, as in Consul's own list."""

from collections.abc import Iterator

from registry.agent_routes import AgentRoutes
from registry.catalog_routes import CatalogRoutes
from registry.kv_routes import KeyValueRoutes
from registry.web import Handler


def table(agent: AgentRoutes, catalog: CatalogRoutes, kv: KeyValueRoutes) -> Iterator[tuple[str, str, Handler]]:
    """(method, path, handler). A path that ends in a slash is followed by a name, an id or a key."""
    yield "PUT", "/v1/agent/service/register", agent.register
    yield "PUT", "/v1/agent/service/deregister/", agent.deregister
    yield "PUT", "/v1/agent/service/maintenance/", agent.maintain_service
    yield "GET", "/v1/agent/service/", agent.service
    yield "GET", "/v1/agent/services", agent.services
    yield "GET", "/v1/agent/checks", agent.checks
    yield "PUT", "/v1/agent/check/register", agent.register_check
    yield "PUT", "/v1/agent/check/deregister/", agent.deregister_check
    yield "PUT", "/v1/agent/check/pass/", agent.report("passing")
    yield "PUT", "/v1/agent/check/warn/", agent.report("warning")
    yield "PUT", "/v1/agent/check/fail/", agent.report("critical")
    yield "PUT", "/v1/agent/check/update/", agent.update_check
    yield "PUT", "/v1/agent/maintenance", agent.maintain_node
    yield "GET", "/v1/agent/self", agent.self

    yield "GET", "/v1/health/service/", catalog.health_service
    yield "GET", "/v1/health/checks/", catalog.health_checks
    yield "GET", "/v1/health/state/", catalog.health_state
    yield "GET", "/v1/health/node/", catalog.health_node
    yield "GET", "/v1/catalog/services", catalog.services
    yield "GET", "/v1/catalog/service/", catalog.service
    yield "GET", "/v1/catalog/nodes", catalog.nodes
    yield "GET", "/v1/catalog/node/", catalog.node
    yield "GET", "/v1/catalog/datacenters", catalog.datacenters
    yield "GET", "/v1/status/leader", catalog.leader
    yield "GET", "/v1/status/peers", catalog.peers

    yield "GET", "/v1/kv/", kv.read
    yield "PUT", "/v1/kv/", kv.write
    yield "DELETE", "/v1/kv/", kv.delete
