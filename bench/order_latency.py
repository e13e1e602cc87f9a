"""How long does an order take from POST to CONFIRMED, one after the other, as its customer sees it?

python -m bench.order_latency [--orders 100] [--broker]

--broker: events go by a RabbitMQ, the one that RABBITMQ_URL names or one that is started for this.
"""

import argparse
import time
from contextlib import ExitStack

from bench.system import System
from bench.table import show, spans
from chassis.rabbitmq_server import any_broker, virtual_host

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
    parser.add_argument("--broker", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        settings = {}
        if options.broker:
            settings["EVENTS_URL"] = stack.enter_context(virtual_host(stack.enter_context(any_broker())))
        system = stack.enter_context(System(**settings))
        run(system.up(), options.orders)
