"""Requests that a container sends for us: the program runs for real, as a process; the engine's socket is a pipe."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from deploy.compose.inside import COMMAND, Inside


class FakeEngine:
    """Containers of these names are processes; their output comes in frames, cut as the engine likes to cut."""

    def __init__(self, *alive):
        self.api, self.alive, self.started, self.processes, self.insides = self, set(alive), [], [], []

    def exec_create(self, container, command, **_):
        if container not in self.alive:
            raise OSError("no such container")
        assert command == COMMAND
        self.started.append(container)
        return {"Id": container}

    def exec_start(self, _id, **_):
        ours, theirs = socket.socketpair()
        process = subprocess.Popen([sys.executable, *COMMAND[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        for target in (feed, drain):
            threading.Thread(target=target, args=(theirs, process), daemon=True).start()
        return ours

    def end(self):
        for process in self.processes:
            process.kill()
            process.communicate()


def feed(theirs, process):
    with suppress(OSError, ValueError):
        while data := theirs.recv(4096):
            process.stdin.write(data)
            process.stdin.flush()


def drain(theirs, process):
    with suppress(OSError, ValueError):
        while data := process.stdout.read1(777):
            for stream, part in ((2, b"noise\n"), (1, data[:5]), (1, data[5:])):
                theirs.sendall(bytes([stream, 0, 0, 0]) + len(part).to_bytes(4, "big") + part)
    theirs.shutdown(socket.SHUT_RDWR)
    theirs.close()


@pytest.fixture
def neighbour():
    """A service as only the container sees it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path == "/slow":
                time.sleep(3)
            told = {"path": self.path, "method": self.command, "body": body, "who": self.headers.get("Authorization")}
            answer = json.dumps(told | {"pages": "x" * 500_000 * (self.path == "/large")}).encode()
            self.send_response(404 if self.path == "/none" else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("X-Twice", "a")
            self.send_header("X-Twice", "b")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def engine():
    engine = FakeEngine("one", "two")
    yield engine
    for inside in engine.insides:
        inside.shut()
    engine.end()


def session(engine, *containers):
    session = requests.Session()
    inside = Inside(engine, lambda: list(containers))
    engine.insides.append(inside)
    session.mount("http://", inside)
    session.mount("file://", inside)
    return session


def test_requests_go_out_and_answers_come_back_whole(engine, neighbour):
    asking = session(engine, "one")
    answer = asking.put(f"{neighbour}/a?b=c%20d", json={"e": 1}, headers={"Authorization": "Bearer t"})
    assert answer.json() == {"path": "/a?b=c%20d", "method": "PUT", "body": '{"e": 1}', "who": "Bearer t", "pages": ""}
    assert answer.headers["X-Twice"] == "a, b"
    assert asking.get(f"{neighbour}/none").status_code == 404
    assert len(asking.get(f"{neighbour}/large").json()["pages"]) == 500_000
    assert engine.started == ["one"], "one program answers all that comes one after the other"


def test_a_file_of_the_container_is_read(engine, tmp_path):
    (tmp_path / "nginx.conf").write_text("events {}")
    assert session(engine, "one").get((tmp_path / "nginx.conf").as_uri()).text == "events {}"
    with pytest.raises(requests.ConnectionError, match=r"nginx\.pid"):
        session(engine, "one").get((tmp_path / "nginx.pid").as_uri())


def test_where_nobody_listens_and_where_nobody_answers_are_what_requests_says_of_them(engine, neighbour):
    with pytest.raises(requests.ConnectionError):
        session(engine, "one").get("http://127.0.0.1:9/")
    with pytest.raises(requests.ReadTimeout):
        session(engine, "one").get(f"{neighbour}/slow", timeout=0.2)


def test_another_container_asks_when_one_is_gone(engine, neighbour):
    asking = session(engine, "gone", "two")
    assert asking.get(f"{neighbour}/a").ok
    assert engine.started == ["two"]


def test_a_program_that_has_died_with_its_container_is_replaced(engine, neighbour):
    asking = session(engine, "one")
    assert asking.get(f"{neighbour}/a").ok
    engine.end()
    assert asking.get(f"{neighbour}/a").ok
    assert engine.started == ["one", "one"]


def test_without_any_container_it_is_a_connection_that_fails(engine, neighbour):
    with pytest.raises(requests.ConnectionError, match="no container of the project"):
        session(engine).get(f"{neighbour}/a")


def test_many_at_once_do_not_wait_for_the_slow_one(engine, neighbour):
    asking = session(engine, "one")
    slow = threading.Thread(target=asking.get, args=(f"{neighbour}/slow",), kwargs={"timeout": 30})
    slow.start()
    while not engine.started:
        time.sleep(0.01)
    assert asking.get(f"{neighbour}/a").ok
    assert slow.is_alive()
    slow.join()
