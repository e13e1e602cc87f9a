"""Many customers want the same few pieces at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from bench.customer import Customer
from bench.system import System


def crowd(system: System, size: int) -> list[Customer]:
    """So many customers, each signed in."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: system.customer(), range(size)))


def order_at_once(customers: list[Customer], sku: str) -> list[requests.Response]:
    """Each orders one piece, all at the same time, and insists if the shop is too busy; the last answers."""
    ready = threading.Barrier(len(customers))

    def order(customer: Customer) -> requests.Response:
        ready.wait(60)
        return customer.insist({sku: 1})

    with ThreadPoolExecutor(len(customers)) as pool:
        return list(pool.map(order, customers))


def follow_all(customers: list[Customer], answers: list[requests.Response]) -> list[dict[str, Any]]:
    """How the orders ended."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda pair: pair[0].follow(pair[1]), zip(customers, answers, strict=True)))
