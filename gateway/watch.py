"""What the registry says now, kept in memory and on disk, and a word to the main loop when it changes."""

import ipaddress
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Protocol

from chassis.discovery import Instance, OnInstances, OnPairs
from gateway.log import log
from gateway.render import BALANCING, Live, Server

KV_PREFIX = "souk/gateway/"
LONGEST_CACHE_S = 3600
MOST_THREADS = 1000


class Discovery(Protocol):
    """The part of `chassis.discovery.Discovery` that is used here."""

    def watch(self, name: str, on_change: OnInstances) -> None: ...

    def watch_kv(self, prefix: str, on_change: OnPairs) -> None: ...


class Watch:
    """Watches the given services and the live settings.

    changed: called from any thread after each change. memory: a file that keeps the last answers, so that a
    gateway that starts while the registry is away knows what the one before it knew.
    """

    def __init__(self, services: Iterable[str], changed: Callable[[], None], memory: Path) -> None:
        self._services = tuple(services)
        self._changed = changed
        self._memory = memory
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[Server, ...]] = {}
        self._pairs: dict[str, str] = {}
        self._balancing: dict[str, str] = {}
        self._cache_seconds: int | None = None
        self._unanswered = {*self._services, KV_PREFIX}
        self._all_answered = threading.Event()
        self._remember()

    def start(self, discovery: Discovery, wait_s: float) -> bool:
        """Begin to watch; wait for the first answers. False: some did not come, what was remembered counts."""
        discovery.watch_kv(KV_PREFIX, self._on_pairs)
        for name in self._services:
            discovery.watch(name, partial(self._on_instances, name))
        return self._all_answered.wait(wait_s)

    def live(self) -> Live:
        """What is known now. Values that make no sense have been logged and left out."""
        with self._lock:
            return Live(dict(self._servers), self._balancing, self._cache_seconds)

    def save(self) -> None:
        """Write what is known to the memory file."""
        with self._lock:
            servers = {name: [astuple(server) for server in known] for name, known in self._servers.items()}
            text = json.dumps({"servers": servers, "pairs": self._pairs}, indent=1)
        aside = self._memory.with_suffix(".new")
        aside.write_text(text)
        aside.replace(self._memory)

    def _remember(self) -> None:
        try:
            known = json.loads(self._memory.read_text())
            self._servers = {
                name: tuple(Server(*server) for server in servers) for name, servers in known["servers"].items()
            }
            self._take_pairs(known["pairs"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log("warning", "what an earlier gateway knew cannot be read", reason=str(error))

    def _on_instances(self, name: str, instances: Sequence[Instance]) -> None:
        servers = tuple(server for server in map(_server, instances) if server is not None)
        with self._lock:
            self._servers[name] = servers
        self._answered(name)

    def _on_pairs(self, pairs: Mapping[str, str]) -> None:
        self._take_pairs(pairs)
        self._answered(KV_PREFIX)

    def _take_pairs(self, pairs: Mapping[str, str]) -> None:
        balancing, cache_seconds = _read_pairs(pairs, self._services)
        with self._lock:
            self._pairs, self._balancing, self._cache_seconds = dict(pairs), balancing, cache_seconds

    def _answered(self, name: str) -> None:
        with self._lock:
            self._unanswered.discard(name)
            complete = not self._unanswered
        if complete:
            self._all_answered.set()
        self._changed()


def _server(instance: Instance) -> Server | None:
    """The instance as nginx can take it. Names are resolved here: nginx would refuse a file with a bad one.

    Whoever may register could write anything into the address; only what parses as one gets any further.
    """
    if not 1 <= instance.port <= 65535:
        log("warning", "an instance with an impossible port is left out", id=instance.id, port=instance.port)
        return None
    try:
        found = socket.getaddrinfo(instance.address, instance.port, type=socket.SOCK_STREAM)
        address = ipaddress.ip_address(found[0][4][0])
    except (OSError, ValueError) as error:
        log("warning", "an instance without a usable address is left out", id=instance.id, reason=str(error))
        return None
    return Server(str(address), instance.port, min(max(instance.weight, 1), 100), _threads(instance))


def _threads(instance: Instance) -> int:
    """What the instance says of itself; 0 where it says nothing, or nothing that makes sense."""
    said = str(instance.meta.get("threads", ""))
    return min(int(said), MOST_THREADS) if re.fullmatch("[0-9]{1,9}", said) else 0


def _read_pairs(pairs: Mapping[str, str], services: Sequence[str]) -> tuple[dict[str, str], int | None]:
    """The balancing per service, and the cache's seconds or None for the default."""
    balancing: dict[str, str] = {}
    cache_seconds = None
    for key, raw in pairs.items():
        value = raw.strip()
        kind, _, service = key.removeprefix(KV_PREFIX).partition("/")
        if kind == "balancing" and service in services and value in BALANCING:
            balancing[service] = value
        elif (kind, service) == ("cache", "") and value in ("on", "off"):
            cache_seconds = None if value == "on" else 0
        elif (kind, service) == ("cache", "") and re.fullmatch("[0-9]{1,4}", value):
            cache_seconds = min(int(value), LONGEST_CACHE_S)
        else:
            log("warning", "a live setting makes no sense and is ignored", key=key, value=value[:100])
    return balancing, cache_seconds
