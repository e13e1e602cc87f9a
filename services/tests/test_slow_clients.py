"""Clients that are slow on purpose, straight at a service: nobody else waits for them, and they do not last."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, nullcontext

import pytest
import requests

from chassis.testing import eventually

THREADS = 2
MANY = 20  # slow clients, ten for each thread
FILES = 500  # so many may the process have open,
MOST = 300  # which leaves so many for connections
BIG = 4_000_000
TOY = """
from chassis.serve import serve
from chassis.tests.toy import Settings, routes
from flask import request
routes.post("/echo", endpoint="echo")(lambda: {"length": len(request.get_data())})
routes.get("/big", endpoint="big")(lambda: {"big": "x" * 4_000_000})
serve("chassis.tests.toy:create_app", Settings.load())
"""
HEAD = b"GET / HTTP/1.1\r\nHost: toy\r\n"
LONG_CHUNK = b"1;%b\r\na\r\n" % (b"x" * 1000)
POST = b"POST /api/toy/a HTTP/1.1\r\nHost: toy\r\nContent-Type: application/json\r\n"
POST_ECHO = POST.replace(b"/a ", b"/echo ")
CHUNKED = POST_ECHO + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "says nothing": b"",
    "half of the first line": b"GET /api/t",
    "half of the headers": b"GET /healthz HTTP/1.1\r\nHost: toy\r\nX-A",
    "half of the body": POST + b'Content-Length: 1000\r\n\r\n{"a": ',
    "half of a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n40\r\nabc",
    "one chunk of two": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "announces too much": POST + b"Content-Length: 10000000\r\n\r\n",
    "waits to be asked on": POST + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
    "half of a second request": b"GET /healthz HTTP/1.1\r\nHost: toy\r\n\r\nGET /heal",
    "never closes": b"GET /healthz HTTP/1.1\r\nHost: toy\r\nConnection: close\r\n\r\n",
    "never closes after an error": b"GARBAGE\r\n\r\n",
    "does not read": b"GET /api/toy/big HTTP/1.1\r\nHost: toy\r\n\r\n",
}


@contextmanager
def serving(home, **settings):
    """The port of a toy in a process of its own, which may have few files open and few threads."""
    (home / "nobody.toml").write_text("[services]\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings |= {"SOUK_HOME": str(home), "DISCOVERY_URL": f"static://{home}/nobody.toml", "PORT": str(port)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", TOY], env=os.environ | settings | {"THREADS": str(THREADS)}, stdout=log, stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
        )  # fmt: skip
    try:
        eventually(lambda: serves(port))
        yield port
    finally:
        process.terminate()
        status = process.wait(30)
    assert (status, b"Traceback" in (home / "log").read_bytes()) == (0, False)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), CLIENT_TIMEOUT_S="1") as port:
        yield port


def serves(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).ok
    except requests.RequestException:
        return False


def connect(port, sent):
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(sent)
    return client


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW.keys())
def test_slow_clients_take_nobody_elses_turn(port, sent):
    with ExitStack() as slow:
        for _ in range(MANY):
            slow.enter_context(connect(port, sent))
        for _ in range(5):
            assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).ok


@pytest.mark.parametrize("name", ["half of the headers", "half of the body", "one chunk of two", "half of a chunk"])
def test_a_request_that_never_gets_whole_is_408(port, name):
    with connect(port, SLOW[name]) as client:
        assert_refused(client, 408)


def test_who_says_nothing_is_hung_up_on(port):
    with connect(port, b"") as client:
        assert client.recv(100) == b""


BODY = b"x" * 900_000
CHUNKS = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:50_000], BODY[50_000:]))


@pytest.mark.parametrize(
    "sent",
    [
        POST_ECHO + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
        POST_ECHO + b"Transfer-Encoding: chunked\r\n\r\n%b0\r\nX-Sum: 1\r\n\r\n" % CHUNKS,
    ],
    ids=["by length", "in chunks"],
)
@pytest.mark.parametrize("cut", [1, 40, 200, 500, 100_000, -3])
def test_what_comes_in_pieces_is_one_request(port, sent, cut):
    with connect(port, sent[:cut]) as client:
        time.sleep(0.02)  # so that the pieces do not travel together
        client.sendall(sent[cut:])
        status, _, body = answer(client)
        assert (status, json.loads(body)) == (200, {"length": len(BODY)})


def test_requests_behind_each_other_are_answered_in_their_order(port):
    sent = b"".join(POST_ECHO + b"Content-Length: %d\r\n\r\n%b" % (n, b"x" * n) for n in range(20))
    with connect(port, sent) as client, client.makefile("rb") as stream:
        assert [json.loads(answer(client, stream)[2])["length"] for _ in range(20)] == list(range(20))


def test_who_waits_to_be_asked_for_the_body_is_asked_once(port):
    with connect(port, POST_ECHO + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n") as client:
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert json.loads(answer(client)[2]) == {"length": 3}


NO_REQUESTS = {
    "garbage": (b"GARBAGE\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", 400),
    "another HTTP": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "a method of one letter": (b"X / HTTP/1.1\r\n\r\n", 400),
    "NUL in the path": (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
    "a space in a header's name": (HEAD + b"A B: 1\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "a length and chunks": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "a coding that we do not know": (POST + b"Transfer-Encoding: br\r\n\r\n0\r\n\r\n", 501),
    "a long path": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    "many headers": (HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(150)) + b"\r\n", 431),
    "a header without end": (HEAD + b"X-Long: " + b"a" * 100_000, 431),
    "a large body to come": (POST + b"Content-Length: 1000001\r\n\r\n", 413),
    "10 MB": (POST + b"Content-Length: 10000000\r\n\r\n" + b"x" * 10_000_000, 413),
    "no chunks": (CHUNKED + b"rubbish\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED + b"1\r\nabc\r\n0\r\n\r\n", 400),
    "a bad trailer": (CHUNKED + b"1\r\na\r\n0\r\nA B: 1\r\n\r\n", 400),
    "a large chunk to come": (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
    "more framing than body": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + LONG_CHUNK * 3000, 413),
}


@pytest.mark.parametrize(("sent", "status"), NO_REQUESTS.values(), ids=NO_REQUESTS.keys())
def test_what_is_no_request_for_us_is_refused_as_a_problem(port, sent, status):
    with connect(port, sent) as client:
        assert_refused(client, status)


def test_what_is_refused_keeps_the_trace_that_it_came_with(port):
    trace = b"4bf92f3577b34da6a3ce929d0e0e4736"
    parent = b"traceparent: 00-%b-00f067aa0ba902b7-01\r\n" % trace
    for request in (b"X / HTTP/1.1\r\n" + parent + b"\r\n", POST + parent + b"Content-Length: 10000000\r\n\r\n"):
        with connect(port, request) as client:
            assert answer(client)[1]["X-Trace-Id"].encode() == trace


def test_an_answer_is_read_to_its_end_however_slowly(port):
    with connect(port, b"GET /api/toy/big HTTP/1.1\r\nHost: toy\r\n\r\n") as client, client.makefile("rb") as stream:
        time.sleep(0.2)
        assert len(answer(client, stream)[2]) > BIG
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: toy\r\n\r\n")
        assert answer(client, stream)[0] == 200


def test_an_answer_arrives_whole_also_when_the_client_has_sent_more_than_was_read(port):
    asked = b"GET /api/toy/big HTTP/1.1\r\nHost: toy\r\nConnection: close\r\n\r\n"
    with connect(port, asked + b"x" * 200_000) as client:
        time.sleep(0.2)  # so that not all of the answer is here when the service closes
        assert len(answer(client)[2]) > BIG


def test_nobody_can_take_all_connections(tmp_path):
    with serving(tmp_path, CLIENT_TIMEOUT_S="60", GRACEFUL_TIMEOUT_S="1") as port, ExitStack() as slow:
        for _ in range(MOST + 50):
            slow.enter_context(connect(port, SLOW["half of the headers"]))
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).ok


def answer(client, stream=None):
    """Status, headers and body of the next answer."""
    with nullcontext(stream) if stream else client.makefile("rb") as lines:
        status = int(lines.readline().split()[1])
        headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(lines.readline, b"\r\n"))
        return status, headers, lines.read(int(headers["Content-Length"]))


def assert_refused(client, status):
    found, headers, body = answer(client)
    problem = json.loads(body)
    assert (found, problem["status"]) == (status, status)
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Served-By"].startswith("toy-")
    assert headers["X-Trace-Id"] == problem["trace_id"]
    assert problem["title"] and problem["detail"]
    assert client.recv(100) == b""
