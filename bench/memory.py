"""How much memory does the idle system take, and what does each library cost that it imports?

PSS: what a process has for itself, and its share of what it shares with others; so it may be summed up.

python -m bench.memory
"""

import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress

import psutil

from bench.system import System
from bench.table import show

IDLE_S = 10
LIBRARIES = (
    "flask", "apiflask", "pydantic", "gunicorn.app.base", "gunicorn.workers.gthread", "sqlalchemy.orm", "alembic",
    "psycopg", "requests", "urllib3", "pybreaker", "jwt", "cryptography.hazmat.primitives.asymmetric.ec", "argon2",
    "structlog", "prometheus_client", "flask_wtf", "jinja2", "circus.arbiter", "typer", "rich.console",
    "psutil", "gevent", "locust",
)  # fmt: skip
MEASURE = """
import time
def size():
    lines = open("/proc/self/smaps_rollup").read().splitlines()[1:]
    found = {{line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines}}
    return found["Rss"], found["Pss"]
before, began = size(), time.process_time()
import {library}
cpu, after = time.process_time() - began, size()
print(after[0] - before[0], after[1] - before[1], cpu)
"""


def run(system: System) -> None:
    time.sleep(IDLE_S)  # what was needed for the start only is given back by then
    by_service, processes = in_use(system)
    rows = [[service, processes[service], size / 1e6] for service, size in by_service.items()]
    rows.append(["all", sum(processes.values()), sum(by_service.values()) / 1e6])
    show("memory of the idle system", ["service", "processes", "PSS in MB"], rows, "promised: at most 800 MB")
    libraries()


def in_use(system: System) -> tuple[dict[str, int], dict[str, int]]:
    """(PSS in bytes, number of processes), by service."""
    leaders = {row["pid"]: row["service"] for row in system.instances()}
    sizes: defaultdict[str, int] = defaultdict(int)
    counts: defaultdict[str, int] = defaultdict(int)
    for process in system.processes(set(leaders)):
        with suppress(psutil.Error):  # gone by now
            pss = process.memory_full_info().pss
            service = leaders.get(os.getpgid(process.pid), "supervisor")
            sizes[service] += pss
            counts[service] += 1
    return dict(sizes), dict(counts)


def libraries() -> None:
    """Each library in a new interpreter, by itself: what several of them need is counted with each."""
    rows = []
    for library in LIBRARIES:
        command = [sys.executable, "-c", MEASURE.format(library=library)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
        rss, pss, cpu = (statistics.median(float(words[n]) for words in runs) for n in range(3))
        rows.append([library, cpu, rss / 1e6, pss / 1e6])
    show("importing a library", ["library", "CPU s", "RSS in MB", "PSS in MB"], sorted(rows, key=lambda row: -row[1]))


if __name__ == "__main__":
    with System() as system:
        run(system.up())
