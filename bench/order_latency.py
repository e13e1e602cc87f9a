"""How long does an order take from POST to CONFIRMED, one after the other, as its customer sees it?

python -m bench.order_latency [--orders 100]
"""

import argparse
import time

from bench.system import System
from bench.table import show, spans

ORDERS, WARM_UP = 100, 5
SKU = "SOUK-000080"
LOOK_EVERY_S = 0.005


def run(system: System, orders: int = ORDERS) -> None:
    customer = system.customer()
    answered, confirmed = [], []
    for number in range(WARM_UP + orders):
        began = time.monotonic()
        placed = customer.place({SKU: 1})
        took = time.monotonic() - began
        if (order := customer.follow(placed, LOOK_EVERY_S))["state"] != "CONFIRMED":
            raise AssertionError(f"the order ended as {order}")
        if number >= WARM_UP:
            answered.append(1000 * took)
            confirmed.append(1000 * (time.monotonic() - began))
    rows = [["answered with 202", *spans(answered)], ["CONFIRMED", *spans(confirmed)]]
    headings = ["from POST until", "p50", "p95", "p99", "max"]
    show(f"{orders} orders, one after the other, in ms", headings, rows, "promised: CONFIRMED within 2,000 ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    options = parser.parse_args()
    with System() as system:
        run(system.up(), options.orders)
