"""How long does `make up` take, cold (nothing there) and warm, and where does the time go?

python -m bench.start
"""

import statistics
import subprocess
import sys
import time

from bench.system import PROJECT, System
from bench.table import show

WARM_STARTS = 3
SERVICES = (
    "accounts", "bank", "carts", "catalog", "inventory", "notifications", "orders", "payments", "storefront",
    "registry", "gateway",
)  # fmt: skip
PHASES = {
    "preparing the databases": "migrate and seed",
    "starting the processes": "until the first instance passes",
    "1 of": "until all pass and the first page comes",
}


def run() -> None:
    with System() as system:
        cold = timed_up(system)
        warm = []
        for _ in range(WARM_STARTS):
            system.souk("down")
            warm.append(timed_up(system))
    names = list(dict.fromkeys(phase for start in [cold, *warm] for phase in start))
    rows = [[name, cold.get(name, 0.0), statistics.median(start.get(name, 0.0) for start in warm)] for name in names]
    rows.append(["make up", sum(cold.values()), statistics.median(sum(start.values()) for start in warm)])
    show(
        "make up, in seconds", ["phase", "cold", f"warm, median of {WARM_STARTS}"], rows, "promised: warm at most 10 s"
    )
    modules()


def timed_up(system: System) -> dict[str, float]:
    """Seconds per phase of `make up`, told apart by what it says."""
    phases: dict[str, float] = {}
    phase, began = "make, and `souk` itself", time.monotonic()
    process = subprocess.Popen(  # nosec B607 # the user's own `make`
        ["make", "up"], env=system.env, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            for beginning, following in PHASES.items():
                if line.startswith(beginning):
                    now = time.monotonic()
                    phases[phase] = phases.get(phase, 0.0) + now - began
                    phase, began = following, now
    if process.returncode:
        raise AssertionError("".join(lines))
    phases[phase] = phases.get(phase, 0.0) + time.monotonic() - began
    return phases


def modules() -> None:
    """What it costs to import each service: most of what its process does until it registers."""
    rows = []
    for service in SERVICES:
        module = {"registry": "registry.serve", "gateway": "gateway.main"}.get(service, f"{service}.app")
        found = [imported(module) for _ in range(3)]
        rows.append([module, statistics.median(cpu for cpu, _ in found), found[0][1]])
    show("importing a service, in a new interpreter", ["module", "CPU s", "modules loaded"], rows)


def imported(module: str) -> tuple[float, int]:
    """(CPU seconds, number of modules) of importing it, without the interpreter's own start."""
    code = f"import sys, time; began = time.process_time(); import {module}; "
    code += "print(time.process_time() - began, len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cpu, count = done.stdout.split()
    return float(cpu), int(count)


if __name__ == "__main__":
    run()
