"""One contract, two servers: every test that takes `api` runs against our registry and against a real Consul."""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from registry.testing import Running, consul_binary, eventually, start_consul, start_registry


class Api:
    """A client of one server. `name()` gives names that no other test uses, since the server is shared."""

    def __init__(self, server: Running, pool: ThreadPoolExecutor) -> None:
        self.server = server
        self._pool = pool
        self._numbers = itertools.count()

    def name(self) -> str:
        return f"t{uuid.uuid4().hex[:8]}-{next(self._numbers)}"

    def call(self, method: str, path: str, timeout: float = 30, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.server.url}{path}", timeout=timeout, allow_redirects=False, **options)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.call("GET", path, params=query)

    def put(self, path: str, json: Any = None, **query: Any) -> requests.Response:
        return self.call("PUT", path, json=json, params=query)

    def watch(self, path: str, **query: Any) -> Future[requests.Response]:
        """Ask in the background, with the index that is current now unless one is given."""
        query.setdefault("index", self.index(path))
        return self._pool.submit(self.get, path, **{"wait": "20s"} | query)

    def index(self, path: str) -> int:
        return int(self.get(path).headers["X-Consul-Index"])

    def register(self, **definition: Any) -> None:
        answer = self.put("/v1/agent/service/register", definition)
        assert (answer.status_code, answer.text) == (200, "")
        service_id = definition.get("ID", definition["Name"])

        def settled() -> bool:
            """A real agent tells the catalogue a little later, the checks after the service."""
            rows = self.get(f"/v1/health/service/{definition['Name']}").json()
            mine = [row for row in rows if row["Service"]["ID"] == service_id]
            wanted = len(definition.get("Checks", [])) + ("Check" in definition)
            return len(mine) == 1 and sum(c["ServiceID"] == service_id for c in mine[0]["Checks"]) >= wanted

        eventually(settled)

    def health(self, name: str, **query: Any) -> list[dict[str, Any]]:
        return self.get(f"/v1/health/service/{name}", **query).json()

    def passing(self, name: str) -> list[str]:
        return [row["Service"]["ID"] for row in self.health(name, passing="")]

    def check(self, name: str, check_id: str) -> dict[str, Any]:
        return next(c for c in self.get(f"/v1/health/checks/{name}").json() if c["CheckID"] == check_id)


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as workers:
        yield workers


# Without a Consul the second half is not made at all; one test in test_py_consul.py says so by skipping.
SERVERS = ["ours", "consul"] if consul_binary() else ["ours"]


@pytest.fixture(scope="session", params=SERVERS)
def api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pool: ThreadPoolExecutor
) -> Iterator[Api]:
    start: Callable[..., Running] = start_consul if request.param == "consul" else start_registry
    with start(tmp_path_factory.mktemp(request.param)) as server:
        yield Api(server, pool)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory, pool: ThreadPoolExecutor) -> Iterator[Api]:
    """Our registry alone, for what differs from Consul on purpose."""
    with start_registry(tmp_path_factory.mktemp("only-ours")) as server:
        yield Api(server, pool)


@pytest.fixture
def own(tmp_path: Any, pool: ThreadPoolExecutor) -> Iterator[Api]:
    """Our registry, fresh, for what a shared server does not allow."""
    with start_registry(tmp_path) as server:
        yield Api(server, pool)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_PROXY", "127.0.0.1")
