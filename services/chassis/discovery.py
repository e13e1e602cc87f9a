"""Who is there, as others see it: a service's healthy instances, from a cache that a thread keeps fresh.

A call never asks the registry. The first use of a name starts a watch (a blocking query, answered when
something changes) and waits a moment for the first answer; from then on `instances` reads memory, also while
the registry is away. `registration.py` is the other side: how an instance makes itself known. `belief.py`
decides which answers of a registry to trust. Without a registry, DNS (`dns_discovery.py`) or a file
(`static_discovery.py`) says who is there.
"""

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, quote

from chassis import consul
from chassis.belief import Belief
from chassis.discovery_url import asked_server, discovery_parts
from chassis.instance import Instance, parse_instance
from chassis.registration import Registration
from chassis.static_discovery import StaticDiscovery
from chassis.watched import FIRST_ANSWER_S, Watched, WatchedNames

DOUBT_RENEWALS = 3  # so many renewals does a registry that came back get before its removals are believed

OnInstances = Callable[[list[Instance]], None]
OnPairs = Callable[[dict[str, str]], None]


class Discovery(Protocol):
    """What `make_discovery` gives. `register`, `renew` and `deregister` raise OSError when they fail."""

    def instances(self, name: str, wait_s: float = FIRST_ANSWER_S) -> list[Instance]:
        """The healthy instances. Only the first use of a name waits, for `wait_s` seconds at most."""
        ...

    def watch(self, name: str, on_change: OnInstances) -> None:
        """Call `on_change` with the healthy instances as soon as they are known, and again on each change."""
        ...

    def watch_kv(self, prefix: str, on_change: OnPairs) -> None:
        """The same with the key-value pairs below `prefix`: key -> text."""
        ...

    def register(self, registration: Registration) -> None: ...

    def renew(self, id: str) -> bool:
        """Say that the instance is well. False when the registry does not know it, or has forgotten it."""
        ...

    def deregister(self, id: str) -> None: ...

    def close(self) -> None:
        """End all watches and their connections."""
        ...


def make_discovery(url: str, renewal_s: float = 1.0) -> Discovery:
    """`consul://host:port` (our registry or a real Consul), `dns://suffix:port` or `static:///path/to/file.toml`; else
    ValueError.

    renewal_s: how often instances renew, which decides how long a registry that came back empty is doubted.
    """
    parts = discovery_parts(url)
    if parts.scheme == "consul":
        return ConsulDiscovery(str(parts.hostname), parts.port or 8500, renewal_s)
    if parts.scheme == "static":
        return StaticDiscovery(Path(parts.path))
    return _dns_discovery(parts, DOUBT_RENEWALS * renewal_s)


def _dns_discovery(parts: SplitResult, doubt_s: float) -> Discovery:
    """`?server=address:port` asks that server, and not those of this machine. Without a port SRV records have it."""
    from chassis.dns_discovery import DnsDiscovery  # dnspython, which other processes do not need

    return DnsDiscovery(str(parts.hostname), parts.port, asked_server(parts), doubt_s)


class ConsulDiscovery:
    """Discovery by Consul's HTTP API. Thread-safe. Without threads before its first use, so it may be forked."""

    def __init__(
        self, host: str, port: int, renewal_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host, self._port, self._clock = host, port, clock
        self._doubt_s = DOUBT_RENEWALS * renewal_s
        self._lock = threading.Lock()
        self._watched = WatchedNames(self._start_watch)
        self._queries: list[consul.BlockingQuery] = []

    def instances(self, name: str, wait_s: float = FIRST_ANSWER_S) -> list[Instance]:
        return self._watched.of(name).get(wait_s) or []

    def watch(self, name: str, on_change: OnInstances) -> None:
        self._watched.of(name).add_listener(on_change)

    def watch_kv(self, prefix: str, on_change: OnPairs) -> None:
        pairs: Watched[dict[str, str]] = Watched(FIRST_ANSWER_S, self._clock)
        pairs.add_listener(on_change)

        def on_answer(rows: Any, _doubtful: bool) -> float:
            pairs.set({row["Key"]: _text(row["Value"]) for row in rows or ()})  # None: no such key
            return consul.LONGEST_WAIT_S

        self._start_query(f"/v1/kv/{quote(prefix)}?recurse", on_answer)

    def register(self, registration: Registration) -> None:
        self._write("service/register", _payload(registration))

    def renew(self, id: str) -> bool:
        status = consul.put(self._host, self._port, f"/v1/agent/check/pass/{quote('service:' + id, safe='')}")
        if status not in (200, 404, 500):  # of an unknown check Consul 1.8 says 500, a later one 404
            raise OSError(f"the registry answered {status} to a renewal")
        return status == 200

    def deregister(self, id: str) -> None:
        self._write(f"service/deregister/{quote(id, safe='')}")

    def close(self) -> None:
        with self._lock:
            queries, self._queries = self._queries, []
        for query in queries:
            query.stop()

    def _write(self, path: str, body: object = None) -> None:
        status = consul.put(self._host, self._port, f"/v1/agent/{path}", body)
        if status != 200:
            raise OSError(f"the registry answered {status} to {path}")

    def _start_watch(self, name: str) -> Watched[list[Instance]]:
        watched: Watched[list[Instance]] = Watched(FIRST_ANSWER_S, self._clock)
        belief = Belief(self._doubt_s, self._clock)

        def on_answer(rows: Any, doubtful: bool) -> float:
            watched.set(belief.update([parse_instance(row) for row in rows], doubtful))
            return belief.settled_in_s() or consul.LONGEST_WAIT_S

        # Without `?passing`: "all are critical" and "none is registered" must not look the same.
        self._start_query(f"/v1/health/service/{quote(name, safe='')}", on_answer)
        return watched

    def _start_query(self, path: str, on_answer: Callable[[Any, bool], float]) -> None:
        query = consul.BlockingQuery(self._host, self._port, path, on_answer)
        with self._lock:
            self._queries.append(query)
            query.start()


def _text(value: str | None) -> str:
    return base64.b64decode(value or "").decode(errors="replace")


def _payload(registration: Registration) -> dict[str, Any]:
    return {
        "ID": registration.id,
        "Name": registration.name,
        "Address": registration.address,
        "Port": registration.port,
        "Tags": list(registration.tags),
        "Meta": dict(registration.meta),
        "Weights": {"Passing": registration.weight, "Warning": 1},
        "Check": {
            "TTL": f"{registration.ttl_s:g}s",
            "Status": "passing",
            "DeregisterCriticalServiceAfter": f"{registration.deregister_after_s:g}s",
        },
    }
