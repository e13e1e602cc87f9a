"""The open-loop generator as a process, against a server that is told how to misbehave."""

import json
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from loadtests.samples import Sample, Samples, percentile

ROOT = Path(__file__).parents[2]
TOKENS = json.dumps({"access_token": "a.b.c", "items": []}).encode()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


@contextmanager
def serving(answer):
    """`answer(number, path, send, close)` handles each request; accounts' routes are answered with 200."""
    numbers = iter(range(10**9))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline()).strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                path = line.split()[1].decode()
                if path.startswith("/api/accounts"):
                    self.send(200, TOKENS)
                elif answer(next(numbers), path, self.send) == "close":
                    return

        def send(self, status, body=TOKENS, extra=""):
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
            self.wfile.write(head.encode() + body)

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def start(tmp_path, url, seconds=1.0, rate=40, mix="page=1"):
    words = ["--host", url, "--rate", str(rate), "--seconds", str(seconds), "--mix", mix]
    words += ["--out", str(tmp_path / "samples.jsonl"), "--arrivals", "constant", "--customers", "1"]
    command = [sys.executable, "-m", "loadtests.openloop", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(tmp_path, url, **options):
    """What it says about itself, and its samples; its input stays open, so that the seconds decide."""
    with start(tmp_path, url, **options) as process:
        assert process.wait(60) == 0
        about = json.loads(process.stdout.read().splitlines()[-1])
    return about, Samples.read(tmp_path / "samples.jsonl")


def test_every_request_is_a_sample(tmp_path):
    with serving(lambda _number, _path, send: send(200)) as url:
        about, samples = run(tmp_path, url)
    assert about["requests"] == len(samples) == 40
    assert len(samples.ok) == 40


def test_latency_counts_from_the_scheduled_time_while_the_server_stalls(tmp_path):
    """Ten requests fall due in the second in which nothing is answered: all of them must look slow."""
    stall_until = []

    def answer(number, _path, send):
        if number == 0:
            stall_until.append(time.monotonic() + 1.0)
        time.sleep(max(0.0, stall_until[0] - time.monotonic()))
        send(200)

    with serving(answer) as url:
        _, samples = run(tmp_path, url, rate=10, seconds=1.0)
    slow = [s for s in samples.all if s.latency_s > 0.05]
    assert len(slow) >= 8
    assert samples.percentile_s(1.0) >= 0.9


def test_a_kept_connection_that_is_closed_is_tried_once_more_and_counted(tmp_path):
    def answer(number, _path, send):
        if number % 5 == 3:
            return "close"  # without a byte, and the connection had served before
        return send(200)

    with serving(answer) as url:
        _, samples = run(tmp_path, url, rate=20)
    assert not samples.failed.all, samples.reasons()
    assert samples.repeats > 0


def test_a_fresh_connection_that_is_closed_is_a_failure(tmp_path):
    with serving(lambda *_: "close") as url:
        _, samples = run(tmp_path, url, rate=20)
    assert len(samples.ok) == 0
    assert all(sample.status == 0 and sample.error for sample in samples.all)


def test_another_body_than_asked_for_and_errors_are_failures(tmp_path):
    answers = [(200, b"{}"), (500, TOKENS), (503, TOKENS)]

    def answer(number, _path, send):
        status, body = answers[number % 3]
        send(status, body, "Retry-After: 1\r\n" if status == 503 else "")

    with serving(answer) as url:
        _, samples = run(tmp_path, url, rate=30)
    assert len(samples.ok) == 0
    assert {s.status for s in samples.all} == {200, 500, 503}
    assert {s.status for s in samples.all if s.refused} == {503}


def test_the_end_of_its_input_ends_it(tmp_path):
    with serving(lambda _number, _path, send: send(200)) as url, start(tmp_path, url, seconds=600) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_wrong_step_is_named(tmp_path):
    with start(tmp_path, "http://127.0.0.1:1", mix="dance=1") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "dance" in said


def test_percentiles_are_those_of_the_nearest_rank():
    assert [percentile([4, 1, 3, 2], share) for share in (0.0, 0.25, 0.5, 0.99)] == [1, 1, 2, 4]
    sample = Sample(10.0, 10.5, 11.0, "page", 200)
    assert Samples([sample]).percentile_s(0.99) == sample.latency_s == 1.0
