"""`make bench`: every benchmark, one after the other, each with its table. Takes a few minutes.

python -m bench [start memory order_latency last_pieces spread cost gateway registration_latency registry shared_limits
                 compose profile]

profile runs only when it is named: it judges nothing, and may need root. compose measures nothing without Docker.

Ends with 1 when a benchmark that judges its promises found one broken.
"""

import sys

from bench import (
    compose,
    cost,
    gateway,
    last_pieces,
    memory,
    order_latency,
    profile,
    registration_latency,
    registry,
    shared_limits,
    spread,
    start,
)
from bench.system import System

ALONE = {
    "start": start.run,
    "registration_latency": registration_latency.run,
    "registry": registry.run,
    "shared_limits": shared_limits.run,
    "compose": compose.run,
}
ON_A_SYSTEM = {
    "memory": memory.run,
    "order_latency": order_latency.run,
    "last_pieces": last_pieces.run,
    "spread": spread.run,
    "cost": cost.run,
    "gateway": gateway.run,
}
WHEN_NAMED = {"profile": profile.run}


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - {*ALONE, *ON_A_SYSTEM, *WHEN_NAMED}:
        known = ", ".join([*ALONE, *ON_A_SYSTEM, *WHEN_NAMED])
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are {known}")
        return 2
    broken = [run() for name, run in ALONE.items() if name in wanted or not wanted]
    shared = [run for name, run in ON_A_SYSTEM.items() if name in wanted or not wanted]
    if shared := shared + [run for name, run in WHEN_NAMED.items() if name in wanted]:
        with System() as system:
            system.up()
            broken += [run(system) for run in shared]
    return int(any(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
