"""What does a request cost? CPU time of all processes that have a part in it, in units of a bare Flask route.

python -m bench.cost

Machines differ, so what is promised is a ratio within one run: the rounds of all routes take turns, and each figure is
the median of its rounds. What the processes use anyhow (renewals, looking for work) is measured before, idle, and
taken off; the table shows how much that is.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil

from bench.customer import Customer
from bench.system import PROJECT, System
from bench.table import show

ROUNDS = 5
READS, CONNECTIONS = 1_500, 4
ORDERS, CUSTOMERS = 120, 4
IDLE_S, SETTLED_S = 10.0, 2.0
PACE = 40.0  # requests a second, about as many as orders
PROMISED_READ, PROMISED_ORDER = 2.2, 40.0
SKUS = ("SOUK-000081", "SOUK-000082")
NO_SERVICES = ("gateway", "registry")  # they only bring a request to its service

Cpu = Counter[str]  # service -> seconds


def run(system: System) -> int:
    """Print what a read and an order cost. 1 when a promise is broken, else 0."""
    customers = [system.customer() for _ in range(CUSTOMERS)]
    order = customers[0].follow(customers[0].place(dict.fromkeys(SKUS, 1)))
    (orders,) = system.registered("orders").values()
    token = {"Authorization": customers[0].authorization}
    leaders = {row["pid"]: row["service"] for row in system.instances()}
    placed: list[tuple[Customer, str]] = []
    with bare_server() as (bare, bare_pid):
        leaders[bare_pid] = "bare"
        works = {
            "bare": (lambda: read(bare, "/", {}), READS),
            "orders": (lambda: read(orders, f"/api/orders/{order['id']}", token), READS),
            "placing": (lambda: place_orders(customers, placed), ORDERS),
        }
        for work, _ in works.values():
            work()  # the first time costs more than any later one
        idle = idle_use(leaders)
        rounds: dict[str, list[Cpu]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, (work, count) in works.items():
                rounds[name].append(measured(leaders, work, idle, count))
        beside_s = beside_orders(bare, leaders, lambda: place_orders(customers, placed))
    for customer, location in placed:
        if (order := customer.get(location))["state"] != "CONFIRMED":
            raise AssertionError(f"not CONFIRMED, so its cost says nothing: {order}")
    return report({name: medians(found) for name, found in rounds.items()}, idle, beside_s)


def idle_use(leaders: dict[int, str]) -> Cpu:
    """CPU seconds per second that each service uses while nobody asks for anything."""
    time.sleep(SETTLED_S)
    return measured(leaders, lambda: time.sleep(IDLE_S), Counter(), IDLE_S)


def beside_orders(bare: str, leaders: dict[int, str], work: Callable[[], object]) -> float:
    """CPU seconds of a bare route that is asked now and then while orders are placed: the caches are cold by then."""
    stopping, asked = threading.Event(), Counter[str]()

    def ask() -> None:
        with connected(bare) as get:
            while not stopping.wait(1 / PACE):
                get("/", {})
                asked["bare"] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    used = measured(leaders, lambda: [work() for _ in range(ROUNDS)], Counter(), 1)
    stopping.set()
    asking.join()
    return used["bare"] / asked["bare"]


def medians(rounds: list[Cpu]) -> Cpu:
    return Counter({name: statistics.median(used[name] for used in rounds) for name in rounds[0]})


def report(used: dict[str, Cpu], idle: Cpu, beside_s: float) -> int:
    """Print both tables; 1 when a promise is broken, else 0."""
    bare_s, reading = used["bare"]["bare"], used["orders"]["orders"]
    rows = [["a bare jsonify route", 1e3 * bare_s, 1.0], ["GET /api/orders/{id}", 1e3 * reading, reading / bare_s]]
    title = "CPU time of a read that is signed in and asks the database, in one process"
    show(title, ["route", "ms", "bare routes"], rows, verdict(reading / bare_s, PROMISED_READ))
    placing = {name: seconds for name, seconds in used["placing"].items() if name != "bare"}
    total = sum(seconds for name, seconds in placing.items() if name not in NO_SERVICES)
    rows = [[name, 1e3 * s, s / bare_s, 1e3 * idle[name]] for name, s in Counter(placing).most_common()]
    rows.append(["all but gateway and registry", 1e3 * total, total / bare_s, 1e3 * sum(idle[n] for n in placing)])
    rows.append(["ten bare routes, 40 a second beside orders", 1e4 * beside_s, 10 * beside_s / bare_s, 0.0])
    headings = ["process", "ms", "bare routes", "idle, not counted: ms a second"]
    show("CPU time of an order, from POST to CONFIRMED", headings, rows, verdict(total / bare_s, PROMISED_ORDER))
    return int(reading / bare_s > PROMISED_READ or total / bare_s > PROMISED_ORDER)


def verdict(ratio: float, promised: float) -> str:
    return f"promised: at most {promised:g} bare routes: {'kept' if ratio <= promised else 'NOT KEPT'}"


@contextmanager
def bare_server() -> Iterator[tuple[str, int]]:
    """Its address and its process group, while it runs."""
    command = [sys.executable, "-m", "bench.bare"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "services")])}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=30)


def cpu_seconds(leaders: dict[int, str]) -> Cpu:
    """User and system time so far of the process groups, by service; of children that have ended, too."""
    used: Cpu = Counter()
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if service := leaders.get(os.getpgid(process.pid)):
                used[service] += sum(process.cpu_times()[:4])
    return used


def measured(leaders: dict[int, str], work: Callable[[], object], idle: Cpu, count: float) -> Cpu:
    """CPU seconds by service of the work, for each of `count` pieces of it, without what is used idle."""
    before, began = cpu_seconds(leaders), time.monotonic()
    work()
    took_s, after = time.monotonic() - began, cpu_seconds(leaders)
    return Counter({name: (after[name] - before[name] - idle[name] * took_s) / count for name in after})


def read(url: str, path: str, headers: dict[str, str]) -> None:
    """READS requests on a few kept connections, each of which asks anew once it has its answer."""

    def ask() -> None:
        with connected(url) as get:
            for _ in range(READS // CONNECTIONS):
                get(path, headers)

    together([ask] * CONNECTIONS)


@contextmanager
def connected(url: str) -> Iterator[Callable[[str, dict[str, str]], None]]:
    """Asks for a path on a kept connection. Raises AssertionError for any answer but 200."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)

    def get(path: str, headers: dict[str, str]) -> None:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status}")

    yield get
    connection.close()


def place_orders(customers: list[Customer], placed: list[tuple[Customer, str]]) -> None:
    """Each customer orders anew once the last order is taken. Nobody asks how one is doing: that costs too."""

    def shop(customer: Customer) -> None:
        for _ in range(ORDERS // CUSTOMERS):
            answer = customer.place(dict.fromkeys(SKUS, 1))
            if answer.status_code != 202:
                raise AssertionError(f"{answer.status_code}: {answer.text}")
            placed.append((customer, answer.headers["Location"]))

    together([lambda customer=customer: shop(customer) for customer in customers])
    time.sleep(SETTLED_S)  # until the last one has come to its end


def together(tasks: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    with System() as system:
        sys.exit(run(system.up()))
