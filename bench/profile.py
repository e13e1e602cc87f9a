"""Where the Python time of an order goes, by layer and service: py-spy looks 200 times a second at every worker.

python -m bench.profile

It looks at the thread that holds the interpreter's lock. A sample belongs to the innermost frame whose file belongs to
a layer. What runs without the lock, above all the kernel and SQLite's commits, is not in it. py-spy reads another
process's memory: on Linux that needs root, or `sysctl kernel.yama.ptrace_scope=0`.
"""

import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.cost import place_orders
from bench.customer import Customer
from bench.system import System
from bench.table import show

SERVICES = ("orders", "payments", "inventory", "bank", "notifications", "carts", "catalog")
SHOWN = ("orders", "payments", "inventory")
ROUNDS, RATE = 8, 200
MAIN_LOOP = "ThreadWorker.run"
LAYERS = {
    "database": ("chassis/database", "chassis/prepared", "sqlalchemy/"),
    "calls to neighbours": (
        "chassis/calls", "chassis/connections", "chassis/resilience", "chassis/load", "chassis/targets",
        "chassis/balancing", "pybreaker/", "httptools/",
    ),
    "outbox and relay": ("chassis/relay", "chassis/outbox", "chassis/background"),
    "trace, deadline, log and metrics of a request": (
        "chassis/web", "chassis/trace", "chassis/deadline", "chassis/telemetry", "structlog/", "prometheus_client/",
    ),
    "tokens and shapes": (
        "chassis/identity", "chassis/service_tokens", "chassis/limits", "chassis/openapi", "chassis/schemas",
        "chassis/idempotency", "pydantic/", "jwt/",
    ),
    "inbox": ("chassis/inbox",),
    "Flask": ("flask/", "werkzeug/", "apiflask/", "blinker/"),
    "gunicorn": ("gunicorn/", "chassis/patience", "chassis/incoming", "chassis/queueing"),
    "the service itself": tuple(f"{service}/" for service in SERVICES),
}  # fmt: skip


def run(system: System) -> int:
    """Print the table. 1 when py-spy cannot look, else 0."""
    customers = [system.customer() for _ in range(4)]
    placed: list[tuple[Customer, str]] = []
    leaders = {row["pid"]: row["service"] for row in system.instances() if row["service"] in SERVICES}
    place_orders(customers, placed)
    with tempfile.TemporaryDirectory() as folder:
        files = {service: Path(folder) / service for service in SERVICES}
        spies = [spy(worker_of(leader), files[service]) for leader, service in leaders.items()]
        for _ in range(ROUNDS):
            place_orders(customers, placed)
        for process in spies:
            process.send_signal(signal.SIGINT)  # it writes what it has seen
        ends = [process.wait(timeout=30) for process in spies]
        if any(ends) or not all(map(Path.exists, files.values())):
            print("py-spy could not look into the workers: run it as root, or allow ptrace")
            return 1
        report({service: layers_of(file.read_text().splitlines()) for service, file in files.items()})
    return 0


def worker_of(leader: int) -> int:
    """gunicorn's worker: the one process below its arbiter."""
    (worker,) = psutil.Process(leader).children()
    return worker.pid


def spy(pid: int, out: Path) -> "subprocess.Popen[bytes]":
    options = ["--nonblocking", "--gil", "--format", "raw", "--rate", str(RATE), "--duration", "3600"]
    command = [Path(sys.executable).with_name("py-spy"), "record", *options, "--output", out, "--pid", str(pid)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def layers_of(lines: Sequence[str]) -> Counter[str]:
    """layer -> its samples, from py-spy's raw format: `outer;…;inner count`."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        counts[layer_of(stack.split(";"))] += int(count)
    return counts


def layer_of(stack: Sequence[str]) -> str:
    """stack: frames such as `record (chassis/relay.py:12)`, the innermost last."""
    for frame in reversed(stack):
        for layer, files in LAYERS.items():
            if any(f"({file}" in frame or f"/{file}" in frame for file in files):
                in_main_loop = layer == "gunicorn" and any(MAIN_LOOP in outer for outer in stack)
                return "gunicorn's main loop" if in_main_loop else layer
    return "threads, handing over"


def report(found: dict[str, Counter[str]]) -> None:
    """Shares in percent; a service's row of "all services" is its share of the samples of all."""
    total: Counter[str] = sum(found.values(), Counter())
    columns = [*(found[service] for service in SHOWN), total]
    rows = [[layer, *(100 * counts[layer] / counts.total() for counts in columns)] for layer, _ in total.most_common()]
    rows.append(["all services", *(100 * counts.total() / total.total() for counts in columns)])
    note = f"{total.total()} samples; the others are {', '.join(sorted(set(SERVICES) - set(SHOWN)))}"
    show("Python time of an order, % by layer", ["layer", *SHOWN, "all"], rows, note)


if __name__ == "__main__":
    with System() as system:
        sys.exit(run(system.up()))
