"""The one door: what stays inside, what every answer carries, what happens when nobody is behind it."""

import re

import pytest

from bench.system import System, eventually
from bench.wire import Reply, raw

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
PRODUCT = "/api/catalog/products/SOUK-000002"
HIDDEN = ("events", "internal", "metrics", "healthz", "readyz")
SPELLINGS = (
    "/{}", "/{}/", "//{}", "/./{}", "/x/../{}", "/{};a=1", "/{}?q=1", "/{}/faults", "/{}%2fevents", "/%2e/{}",
    "/api/orders/../../{}", "/api/orders/%2e%2e/%2E%2E/{}", "http://elsewhere/{}", "///{}", "/{}.json", "/{}%20",
)  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_internal_paths_stay_inside_in_every_spelling(system: System, name: str) -> None:
    for written in (name, name.upper(), name.capitalize(), f"%{ord(name[0]):02x}{name[1:]}"):
        for spelling in SPELLINGS:
            for method in ("GET", "POST"):
                path = spelling.format(written)
                reply = raw(system.gateway_port, path, method, body=b"{}")
                assert (path, method, reply.status) == (path, method, 404)
                assert reply.headers["X-Served-By"] == "gateway"
                reply.assert_problem()


def test_every_answer_says_who_gave_it_and_under_which_trace(system: System) -> None:
    ids = {service: set(system.registered(service)) for service in ("accounts", "catalog", "storefront")}
    paths = {
        "/": "storefront",
        PRODUCT: "catalog",
        "/api/catalog/products/NONE-1": "catalog",
        "/api/accounts/me": "accounts",
    }
    traces = set()
    for path, service in paths.items():
        reply = raw(system.gateway_port, path)
        assert reply.headers["X-Served-By"] in ids[service]
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Trace-Id"])
        traces.add(reply.headers["X-Trace-Id"])
    assert len(traces) == len(paths)


def test_a_trace_that_the_client_began_goes_on(system: System) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert raw(system.gateway_port, "/api/orders/nothing", headers=headers).headers["X-Trace-Id"] == trace
    eventually(lambda: any(line.get("trace_id") == trace for line in system.logs("orders")))


def test_an_answer_from_the_cache_has_a_trace_of_its_own(system: System) -> None:
    def two() -> tuple[Reply, Reply] | None:
        first, second = raw(system.gateway_port, PRODUCT), raw(system.gateway_port, PRODUCT)
        return (first, second) if second.headers["X-Cache"] == "HIT" else None

    first, second = eventually(two)
    assert second.body == first.body
    assert second.headers["X-Trace-Id"] != first.headers["X-Trace-Id"]
    assert second.headers["X-Served-By"] in set(system.registered("catalog"))


def test_what_is_somebodys_own_is_never_cached(system: System, customer, visitor) -> None:
    assert "X-Cache" not in customer.must("GET", "/api/carts/mine").headers
    assert visitor.ask("GET", "/api/carts/mine").status_code == 401


def test_a_service_without_an_instance_is_unavailable_and_its_neighbours_are_not(system: System, customer) -> None:
    system.scale(notifications=0)
    try:
        reply = eventually(lambda: first_with(503, system, "/api/notifications"))
        reply.assert_problem()
        assert int(reply.headers["Retry-After"]) >= 1
        assert reply.headers["X-Served-By"] == "gateway"
        # Nobody waits for notifications but the customer who reads them.
        order = customer.follow(customer.place({"SOUK-000040": 1}))
        assert order["state"] == "CONFIRMED"
    finally:
        system.scale(notifications=1)
    # The messages come when the service does.
    messages = eventually(
        lambda: [m for m in read_messages(customer) if order["id"] in m["body"]], lambda: read_messages(customer)
    )
    assert len(messages) == 1


def first_with(status: int, system: System, path: str) -> Reply | None:
    reply = raw(system.gateway_port, path)
    return reply if reply.status == status else None


def read_messages(customer) -> list[dict]:
    answer = customer.ask("GET", "/api/notifications")
    return answer.json()["items"] if answer.status_code == 200 else []
