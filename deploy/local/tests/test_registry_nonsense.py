"""A registry that answers nonsense: the command line says so in one line, or goes on without it."""

import http.server
import json
import threading

import pytest

from deploy.local import health, live
from deploy.local.client import System
from deploy.local.errors import Refused
from deploy.local.home import Home
from deploy.local.runtime import Processes
from deploy.local.settings import load
from deploy.local.tests.toys import make_toys

SERVICE = {"ID": "a", "Service": "apples", "Address": "", "Port": 1}
NONSENSE = {
    "a page of HTML": (200, b"<html>It works!</html>"),
    "an error": (500, b"no leader"),
    "a list": (200, b"[]"),
    "a text": (200, b'"passing"'),
    "a list of services": (200, json.dumps([SERVICE]).encode()),
    "services without members": (200, b'{"a": {}}'),
    "numbers for services": (200, b'{"a": 1}'),
    "a status that is none": (200, json.dumps({"a": SERVICE | {"ServiceID": "a", "Status": "fine"}}).encode()),
    "half of it": (200, b'{"a": {"ID"'),
    "nested too deep": (200, b"[" * 100_000),
    "more than anybody can want": (200, b" " * 200_000 + b"{}"),
    "bytes": (200, b"\xff\xfe\x00"),
}


@pytest.fixture
def registry():
    """A real server that gives the same answer to everything, and is told which."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def system(tmp_path, registry):
    toys, port = make_toys(tmp_path / "toys"), registry.server_address[1]
    settings = {"SOUK_HOME": str(tmp_path / "home"), "SERVICES_DIR": str(toys), "REGISTRY_PORT": str(port)}
    Home(load(settings).home).create()
    return Processes(System(load(settings), None))


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_like_no_answer(system, registry, answer, monkeypatch):
    monkeypatch.setattr(health, "MOST_BYTES", 150_000)
    registry.answer = answer
    assert health.registered(system.registry_url) is None
    with pytest.raises(Refused, match="nothing sensible from the registry"):
        live.instances(system, "apples")


def test_good_answers_are_read(system, registry):
    registry.answer = (200, b"{}")
    assert health.registered(system.registry_url) == []
    registry.answer = (200, json.dumps({"a": SERVICE | {"ServiceID": "a", "Status": "warning"}}).encode())
    assert health.registered(system.registry_url) == [health.Registered("a", "apples", "127.0.0.1", 1, "warning")]
