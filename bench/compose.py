"""How soon is the system in containers healthy, how much memory does it take when idle, how large are the images?

python -m bench compose
"""

import sys
import time

from bench.containers import Containers, missing
from bench.table import show

READY_S, MEMORY_MIB, IMAGE_MB = 60, 1.6 * 1024, 250
IDLE_S = 20


def run() -> bool:
    """Whether a promise is broken."""
    if why := missing():
        print(f"compose: nothing is measured, since {why}")
        return False
    with Containers() as system:
        took_s = system.up()
        system.customer().follow(system.customer().place({"SOUK-000001": 1}))
        time.sleep(IDLE_S)  # what was needed for the start only is given back by then
        memory = system.memory()
        sizes = image_sizes(system)
    rows = [[name, used] for name, used in sorted(memory.items()) if used]
    rows.append(["all", sum(memory.values())])
    show("memory of the idle containers", ["container", "MiB"], rows, f"promised: at most {MEMORY_MIB:.0f} MiB")
    show(
        "images",
        ["image", "MB"],
        [list(row) for row in sorted(sizes.items())],
        f"promised: a service under {IMAGE_MB} MB",
    )
    show("from built images to all healthy", ["", "s"], [["make compose-up", took_s]], f"promised: at most {READY_S} s")
    return bool(broken(took_s, sum(memory.values()), sizes))


def broken(took_s: float, memory_mib: float, sizes_mb: dict[str, float]) -> list[str]:
    """The promises that these figures break, each of which is said on the standard error."""
    found = [
        name
        for name, is_broken in (
            ("time", took_s > READY_S),
            ("memory", memory_mib > MEMORY_MIB),
            ("size of the images", max(sizes_mb.values()) >= IMAGE_MB),
        )
        if is_broken
    ]
    for name in found:
        print(f"broken: {name}", file=sys.stderr)
    return found


def image_sizes(system: Containers) -> dict[str, float]:
    """MB of each image that is built here."""
    names = {one["Config"]["Image"] for one in system.inspect() if "/" in one["Config"]["Image"]}
    return {name: int(system.docker("image", "inspect", "--format", "{{.Size}}", name)) / 1e6 for name in names}
