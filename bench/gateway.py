"""What does the gateway cost? Cached reads beside a constant answer, and an uncached page beside the instance itself.

The first is compared by the CPU time of nginx's workers, since a client in Python cannot keep them busy: how many
requests they would answer with a second of it. The constant answer comes from the same nginx program with a
configuration that can do nothing else, with as many workers, the same log and a body of the same size. The second is
compared by the rate itself, because there the instance is the limit.

python -m bench.gateway
"""

import os
import re
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.spread import without_cache
from bench.system import System, eventually, free_port
from bench.table import show
from gateway.settings import load

ROUNDS, SPAN_S = 5, 2.0
MANY, FEW = 32, 4  # connections: to keep nginx busy, and an instance
CACHED, UNCACHED = 0.5, 0.7  # promised
PAGE = "/api/catalog/products?limit=20"
CONSTANT = """
daemon off;
worker_processes 2;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    tcp_nopush on;
    keepalive_requests 1000000;
    log_format souk escape=json '{{"timestamp":"$time_iso8601","service":"gateway","event":"request",'
        '"client":"$remote_addr","method":"$request_method","path":"$request_uri","status":$status,'
        '"bytes":$bytes_sent,"request_s":$request_time,"upstream":"$upstream_addr",'
        '"upstream_status":"$upstream_status","upstream_connect_s":"$upstream_connect_time",'
        '"upstream_header_s":"$upstream_header_time","upstream_s":"$upstream_response_time",'
        '"cache":"$upstream_cache_status","trace_id":"$request_id"}}';
    map "" $kilo {{ default "{kilo}"; }}  # nginx takes no longer words
    access_log access.log souk buffer=64k flush=1s;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 "{body}"; }}
    }}
}}
"""


@dataclass
class Client:
    """The lightest that Python has: kept connections, one request on each, asked in turn and without a selector."""

    port: int
    path: str
    connections: int

    def run(self, seconds: float) -> float:
        """Answers per second. Raises AssertionError at one that is no 200 with the first one's length."""
        request = f"GET {self.path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()
        with ExitStack() as stack:
            sockets = [socket.create_connection(("127.0.0.1", self.port), timeout=30) for _ in range(self.connections)]
            for one in sockets:
                stack.enter_context(one)
                one.sendall(request)
            length = None
            count, began = 0, time.monotonic()
            while (now := time.monotonic()) < began + seconds:
                for one in sockets:
                    length = _read(one, length)
                for one in sockets:
                    one.sendall(request)
                count += len(sockets)
            return count / (now - began)


def _read(one: socket.socket, length: int | None) -> int:
    """Read one answer to its end; the length of its body."""
    data = one.recv(65536)
    while (head := data.find(b"\r\n\r\n")) < 0:
        data += one.recv(65536)
    assert data.startswith(b"HTTP/1.1 200"), data[:200]
    if length is None:
        length = int(re.search(rb"(?i)content-length: (\d+)", data).group(1))
    missing = head + 4 + length - len(data)
    while missing > 0:
        missing -= len(one.recv(65536))
    assert missing == 0, "more than one answer"
    return length


def body_length(port: int, path: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
        return _read(one, None)


def cpu_s(pids: list[int]) -> float:
    """What these processes have used, to the nanosecond where Linux tells it."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def workers(master: int) -> list[int]:
    return [child.pid for child in psutil.Process(master).children() if "worker process" in " ".join(child.cmdline())]


@contextmanager
def constant(system: System, length: int) -> Iterator[tuple[int, int]]:
    """The same nginx with a constant answer of this length: (port, pid of its master)."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="souk-nginx-") as folder:
        text = CONSTANT.format(port=port, kilo="x" * 1000, body="${kilo}" * (length // 1000) + "x" * (length % 1000))
        (Path(folder) / "nginx.conf").write_text(text)
        process = subprocess.Popen([load(system.env).nginx_bin, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
        try:
            eventually(lambda: _accepts(port), within_s=10)
            eventually(lambda: len(workers(process.pid)) == 2, within_s=10)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def per_cpu_second(client: Client, pids: list[int]) -> float:
    """Requests for a second of CPU time of these processes."""
    with one_core(pids):
        before = cpu_s(pids)
        rate = client.run(SPAN_S)
        return rate * SPAN_S / (cpu_s(pids) - before)


@contextmanager
def one_core(pids: list[int]) -> Iterator[None]:
    """Keep these and ourselves on one core: all is asked before the first answer comes, and every run is alike."""
    before = {pid: os.sched_getaffinity(pid) for pid in (0, *pids)}
    try:
        for pid in before:
            os.sched_setaffinity(pid, {min(before[0])})
        yield
    finally:
        for pid, cores in before.items():
            os.sched_setaffinity(pid, cores)


def cached(system: System) -> list[list[object]]:
    """The cached page and the constant answer, turn by turn."""
    master = int((system.home / "run" / "nginx" / "nginx.pid").read_text())
    length = body_length(system.gateway_port, PAGE)
    with constant(system, length) as (port, other):
        bare, ours = Client(port, "/", MANY), Client(system.gateway_port, PAGE, MANY)
        rounds = []
        for _ in range(ROUNDS):
            rounds.append((per_cpu_second(bare, workers(other)), per_cpu_second(ours, workers(master))))
    return _rows(("nginx with a constant answer", f"the gateway, a cached page of {length} bytes"), rounds)


def uncached(system: System) -> list[list[object]]:
    """The instance alone, and through the gateway, turn by turn."""
    without_cache(system)
    (address,) = system.registered("catalog").values()
    alone = Client(int(address.rpartition(":")[2]), PAGE, FEW)
    through = Client(system.gateway_port, PAGE, FEW)
    rounds = [(alone.run(SPAN_S), through.run(SPAN_S)) for _ in range(ROUNDS)]
    system.souk("set", "gateway/cache", "on")
    return _rows(("the instance itself", "the gateway, uncached"), rounds)


def _rows(names: tuple[str, str], rounds: list[tuple[float, float]]) -> list[list[object]]:
    """The median of each, and of the ratios within one turn."""
    first, second = (statistics.median(values) for values in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    return [[names[0], round(first), ""], [names[1], round(second), ratio]]


def run(system: System) -> bool:
    """Whether a promise is broken."""
    headings = ["who is asked", "requests", "of the first"]
    hits, misses = cached(system), uncached(system)
    show("nginx: requests per second of its CPU time", headings, hits, f"promised: at least {CACHED:g}")
    show("an instance: requests per second", headings, misses, f"promised: at least {UNCACHED:g}")
    return float(hits[-1][-1]) < CACHED or float(misses[-1][-1]) < UNCACHED


if __name__ == "__main__":
    with System() as system:
        run(system.up())
