"""How evenly requests are spread over replicas, counted by `X-Served-By`."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable

THREADS = 6
PATH = "/api/catalog/products/SOUK-000001"


def through_the_gateway(port: int, requests: int, path: str = PATH) -> Counter[str]:
    """GET the same path so many times through the gateway; instance -> answers."""

    def ask(share: int, count: Counter[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(share):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.headers["X-Cache"] is not None:
                raise AssertionError(f"the cache is on: {answer.headers['X-Cache']}")
            count[answer.headers["X-Served-By"]] += 1
        connection.close()

    return _in_threads(ask, requests)


def by_the_caller(calls, target: str, requests: int, path: str = PATH) -> Counter[str]:
    """The same with `chassis.calls`, which picks an instance by itself."""

    def ask(share: int, count: Counter[str]) -> None:
        for _ in range(share):
            count[calls.request(target, "GET", path, timeout_s=30).headers["X-Served-By"]] += 1

    return _in_threads(ask, requests)


def largest_share(counts: Counter[str]) -> float:
    """What the busiest replica got of all, between 0 and 1."""
    return max(counts.values()) / counts.total()


def _in_threads(ask: Callable[[int, Counter[str]], None], requests: int) -> Counter[str]:
    counts = [Counter() for _ in range(THREADS)]
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            ask(len(range(number, requests, THREADS)), counts[number])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sum(counts, Counter())
