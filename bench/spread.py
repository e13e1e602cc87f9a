"""How evenly are requests spread over three replicas of catalog? Counted by `X-Served-By`, for every strategy.

python -m bench.spread
"""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing

from bench.system import System, eventually
from bench.table import show
from chassis.calls import Calls
from chassis.discovery import make_discovery

THREADS, REQUESTS, REPLICAS = 6, 3000, 3
AT_THE_GATEWAY = ("round_robin", "least_conn", "random_two", "consistent_hash", "ip_hash")
AT_THE_CALLER = ("round_robin", "random", "p2c", "weighted", "consistent_hash")
PATH = "/api/catalog/products/SOUK-000001"


def through_the_gateway(port: int, requests: int, path: str = PATH) -> Counter[str]:
    """GET the same path so many times through the gateway; instance -> answers."""

    def ask(share: int, count: Counter[str]) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            for _ in range(share):
                answer = _get(connection, path)
                if answer.headers["X-Cache"] is not None:
                    raise AssertionError(f"the cache is on: {answer.headers['X-Cache']}")
                count[answer.headers["X-Served-By"]] += 1

    return _in_threads(ask, requests)


def _get(connection: http.client.HTTPConnection, path: str, again: bool = True) -> http.client.HTTPResponse:
    """The answer, read to its end."""
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (http.client.RemoteDisconnected, ConnectionError):
        # nginx closes idle connections when it reloads; a request may meet that.
        connection.close()
        if not again:
            raise
        return _get(connection, path, again=False)
    return answer


def by_the_caller(calls: Calls, target: str, requests: int, path: str = PATH) -> Counter[str]:
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


def without_cache(system: System) -> None:
    """Switch the gateway's cache off; returns when its workers from before are gone."""
    system.souk("set", "gateway/cache", "off")
    eventually(lambda: _is_off(system))


def _is_off(system: System) -> bool:
    try:
        return bool(through_the_gateway(system.gateway_port, 60))
    except AssertionError:
        return False


def run(system: System) -> None:
    system.scale(catalog=REPLICAS)
    without_cache(system)
    rows = [["gateway", strategy, *_shares(_by_gateway(system, strategy))] for strategy in AT_THE_GATEWAY]
    rows += [["caller", strategy, *_shares(_by_caller(system, strategy))] for strategy in AT_THE_CALLER]
    system.souk("set", "gateway/cache", "on")
    note = "the same path each time, so the hashes go to one; promised: at most 40 % under round robin"
    headings = ["who picks", "strategy", *["%"] * REPLICAS]
    show(f"{REQUESTS} requests over {REPLICAS} replicas, largest share first", headings, rows, note)


def _by_gateway(system: System, strategy: str) -> Counter[str]:
    reloads = _reloads(system)
    system.souk("set", "gateway/balancing/catalog", strategy)
    if strategy != "round_robin":  # that is what it does already
        eventually(lambda: _reloads(system) > reloads)
    through_the_gateway(system.gateway_port, 300)  # workers from before the reload are gone by then
    return through_the_gateway(system.gateway_port, REQUESTS)


def _reloads(system: System) -> int:
    return json.loads((system.home / "run" / "nginx" / "reloads.json").read_text())["reloads"]


def _by_caller(system: System, strategy: str) -> Counter[str]:
    calls = Calls("bench", make_discovery(f"consul://127.0.0.1:{system.registry_port}"), balancing={"*": strategy})
    try:
        return by_the_caller(calls, "catalog", REQUESTS)
    finally:
        calls.stop()


def _shares(counts: Counter[str]) -> list[float]:
    found = [100 * count / counts.total() for _, count in counts.most_common()]
    return found + [0.0] * (REPLICAS - len(found))


if __name__ == "__main__":
    with System() as system:
        run(system.up())
