"""Bodies are kept until their content changes: whoever reads all the time sees what a first reader would see."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.agent import OWN_ID, Agent
from registry.agent_routes import AgentRoutes
from registry.blocking import Watches
from registry.catalog_routes import MAX_KEPT, CatalogRoutes
from registry.checks import Checker
from registry.definitions import ServiceDefinition
from registry.kv_routes import KeyValueRoutes
from registry.routes import table
from registry.shapes import Node
from registry.store import Store
from registry.web import Router

NODE = Node("node", "127.0.0.1")
READINGS = [
    f"/v1/{path}"
    for path in (
        *(f"{kind}/{name}" for kind in ("health/service", "health/checks", "catalog/service") for name in "xy"),
        "health/service/x?passing",
        "health/service/x?passing&tag=red",
        "catalog/service/x?tag=RED",
        "catalog/services",
        *(f"health/state/{state}" for state in ("any", "passing", "warning", "critical", "odd")),
        "health/node/node",
        "health/node/elsewhere",
    )
]


class Server:
    """The registry in this process, without a clock and without a socket."""

    def __init__(self):
        watches = Watches()
        self.store = Store(watches)
        agent = Agent(self.store, Checker(self.store, lambda: 0.0), ServiceDefinition(name=OWN_ID, id=OWN_ID))
        no_pairs = KeyValueRoutes(None, watches)
        self._web = Router(table(AgentRoutes(agent, NODE), CatalogRoutes(self.store, watches, NODE), no_pairs))

    def ask(self, method, path, body=None):
        path, _, query = path.partition("?")
        data = json.dumps(body).encode()
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO(data)}
        head = []
        (answer,) = self._web(environ, lambda *given: head.extend(given))
        return head[0], answer, [pair for pair in head[1] if pair[0] == "X-Consul-Index"]

    def read_all(self):
        return {path: self.ask("GET", path) for path in READINGS}


NOTHING = st.none()
IDS = st.sampled_from("abc")
STATUS = st.sampled_from(["passing", "warning", "critical"])
CHECK = st.fixed_dictionaries({"TTL": st.just("60s"), "Status": STATUS}, optional={"Notes": st.sampled_from("mn")})
TAGS = st.lists(st.sampled_from(["red", "blue"]), unique=True)
SERVICE = st.fixed_dictionaries(
    {"ID": IDS, "Name": st.sampled_from("xy"), "Tags": TAGS, "Port": st.integers(0, 1)}, optional={"Check": CHECK}
)


def put(path, *parts, body=NOTHING):
    return st.tuples(st.just("PUT"), st.builds(path.format, *parts), body)


WRITES = st.one_of(
    put("/v1/agent/service/register{}", st.sampled_from(["", "?replace-existing-checks=true"]), body=SERVICE),
    put("/v1/agent/service/deregister/{}", IDS),
    put("/v1/agent/service/maintenance/{}?enable={}", IDS, st.sampled_from(["true", "false"])),
    put("/v1/agent/maintenance?enable={}", st.sampled_from(["true", "false"])),
    put("/v1/agent/check/{}/service:{}?note={}", st.sampled_from(["pass", "warn", "fail"]), IDS, st.sampled_from("12")),
    put(
        "/v1/agent/check/register",
        body=st.builds(lambda id, extra: {"Name": "own", "ServiceID": id} | extra, IDS | st.just(""), CHECK),
    ),
    put("/v1/agent/check/deregister/{}", st.sampled_from(["own", "service:a", "service:b"])),
)


@settings(deadline=None, database=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WRITES, min_size=1, max_size=12))
def test_a_kept_answer_is_never_stale(writes):
    watched, fresh = Server(), Server()
    for write in writes:
        assert watched.ask(*write)[0] == fresh.ask(*write)[0]
        seen = watched.read_all()
    assert seen == fresh.read_all(), "one has read after each write, the other for the first time"


@pytest.mark.parametrize("path", READINGS)
def test_an_answer_is_rendered_once_for_all_who_ask(path):
    server = Server()
    server.ask("PUT", "/v1/agent/service/register", {"Name": "x", "Tags": ["red"], "Check": {"TTL": "60s"}})
    assert server.ask("GET", path)[1] is server.ask("GET", path)[1] or server.ask("GET", path)[1] == b"[]"


def test_tags_that_somebody_makes_up_do_not_fill_the_memory():
    server = Server()
    server.ask("PUT", "/v1/agent/service/register", {"Name": "x"})
    for number in range(2 * MAX_KEPT):
        assert server.ask("GET", f"/v1/health/service/x?tag=made-up-{number}")[1] == b"[]"
        server.ask("GET", f"/v1/health/state/made-up-{number}")
    assert len(server.store.services["x"].answers) == MAX_KEPT
    assert len(server.store.states) == 0
