"""Fifty customers want the last ten pieces at the same moment, from three replicas of inventory.

python -m bench.last_pieces
"""

import time
from collections import Counter

from bench.rush import crowd, follow_all, order_at_once
from bench.system import System
from bench.table import show

SKU, PIECES, CUSTOMERS = "SOUK-000081", 10, 50


def run(system: System) -> None:
    system.scale(inventory=3)
    customers = crowd(system, CUSTOMERS)
    system.operator().must("PUT", f"/api/inventory/stock/{SKU}", json={"on_hand": PIECES})
    began = time.monotonic()
    orders = follow_all(customers, order_at_once(customers, SKU))
    took = time.monotonic() - began
    ends = Counter(f"{order['state']} {order['reason'] or ''}".strip() for order in orders)
    audit = system.run("audit")
    rows = [
        *sorted(ends.items()),
        ["seconds until the last one had ended", took],
        ["exit code of `souk audit`", audit.returncode],
    ]
    note = f"promised: {PIECES} CONFIRMED, {CUSTOMERS - PIECES} CANCELLED, audit 0"
    show(f"{CUSTOMERS} customers, {PIECES} pieces", ["what", "how many"], rows, note)


if __name__ == "__main__":
    with System() as system:
        run(system.up())
