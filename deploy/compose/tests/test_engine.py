"""No engine, or one that is too old: one clear line each."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.compose.engine import Engine
from deploy.local.errors import Refused


@pytest.fixture
def engine(monkeypatch):
    """An address at which something answers like an engine; `answer` is what it says of its version."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
        yield server
        server.shutdown()


def version(number):
    return 200, json.dumps({"Version": number, "ApiVersion": "1.41"}).encode()


@pytest.mark.parametrize("number", ["20.10.24+dfsg1", "24.0.7", "29.0", "dev"])
def test_an_engine_that_is_new_enough_is_taken(engine, number):
    engine.answer = version(number)
    assert Engine().version == number


@pytest.mark.parametrize("number", ["19.03.15", "20.09", "1.13.1"])
def test_an_old_engine_is_refused_with_both_numbers(engine, number):
    engine.answer = version(number)
    with pytest.raises(Refused, match=rf"{number}.*20\.10 or newer"):
        Engine()


@pytest.mark.parametrize(
    ("host", "why"),
    [("unix:///nowhere/docker.sock", "no such file"), ("tcp://127.0.0.1:9", "refused"), ("nonsense://x", "nonsense")],
)
def test_where_no_engine_is_one_line_says_so_and_what_to_do(monkeypatch, host, why):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(Refused) as refusal:
        Engine()
    line = str(refusal.value)
    assert "\n" not in line
    assert "no Docker engine answers" in line and host in line and why in line.lower() and "DOCKER_HOST" in line


@pytest.mark.parametrize("answer", [(200, b"<html>"), (500, b"no"), (404, b"{}"), (200, b"{}")])
def test_what_answers_and_is_no_engine_is_refused(engine, answer):
    engine.answer = answer
    with pytest.raises(Refused, match="no Docker engine answers"):
        Engine()
