"""Discovery by DNS: each address of `<service>.<suffix>` is an instance, as in a headless Service of Kubernetes.

Who answers DNS decides who is healthy; Kubernetes lists only pods that are ready. An instance has nothing to register,
and there are no live settings. DNS tells nobody of a change, so the names in use are asked for again and again.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import dns.message
import dns.name
import dns.resolver

from chassis.belief import Belief
from chassis.instance import Instance
from chassis.unregistered import Unregistered
from chassis.watched import FIRST_ANSWER_S, Watched, WatchedNames

log = logging.getLogger(__name__)

# A record's time to live says when to ask again, within these. Kubernetes' CoreDNS usually says 30 s; where it keeps no
# answers in a cache, it would tell of a change long before.
FLOOR_S, CEILING_S = 1.0, 5.0
TRY_S, ANSWER_S = 0.5, 1.5  # until a question is sent once more, and until it is given up
RETRY_S = 1.0  # after a question that nobody answered
UDP_BYTES = 1232  # as much as passes everywhere unfragmented; longer answers come by TCP


class DnsDiscovery(Unregistered):
    """Thread-safe. Without threads before its first use, so it may be forked.

    port: of all instances; None: SRV records of `_http._tcp.<service>.<suffix>` say it. server: (address, port) of a
    DNS server; None: those of this machine. doubt_s: for so long after DNS was away, or began to say that nobody is
    there, those known before are kept. Raises ValueError when there is no DNS server or its address is none.
    """

    def __init__(
        self,
        suffix: str,
        port: int | None,
        server: tuple[str, int] | None = None,
        doubt_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port, self._doubt_s, self._clock = port, doubt_s, clock
        try:
            self._suffix = dns.name.from_text(suffix)
            self._resolver = _make_resolver(server)
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"cannot ask DNS for names below {suffix!r}: {error}") from error
        self._watched = WatchedNames(self._start_watch)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def instances(self, name: str, wait_s: float = FIRST_ANSWER_S) -> list[Instance]:
        return self._watched.of(name).get(wait_s) or []

    def watch(self, name: str, on_change: Callable[[list[Instance]], None]) -> None:
        self._watched.of(name).add_listener(on_change)

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=ANSWER_S + 1)

    def _start_watch(self, name: str) -> Watched[list[Instance]]:
        watched: Watched[list[Instance]] = Watched(FIRST_ANSWER_S, self._clock)
        thread = threading.Thread(target=self._follow, args=(name, watched), name=f"watch {name}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return watched

    def _follow(self, name: str, watched: Watched[list[Instance]]) -> None:
        belief = Belief(self._doubt_s, self._clock)
        away, had_some = False, False
        while not self._stopping.is_set():
            try:
                found, pause_s = self._look_up(name)
                # A name that has just vanished is doubted, too: an empty list costs every request.
                watched.set(belief.update(found, away or (had_some and not found)))
            except Exception as error:  # whatever came, the next question is due: nobody else asks it
                if not away and not self._stopping.is_set():
                    log.warning("DNS does not answer for %s; its instances stay as they are: %r", name, error)
                away, pause_s = True, RETRY_S
            else:
                if away:
                    log.warning("DNS answers again for %s", name)
                away, had_some = False, bool(found)
                pause_s = min(pause_s, belief.settled_in_s() or pause_s)
            # Not all at the same moment.
            self._stopping.wait(random.uniform(0.8, 1.0) * pause_s)

    def _look_up(self, name: str) -> tuple[list[Instance], float]:
        """The instances, and for how many seconds they may be believed. Raises DNSException or OSError."""
        asked = _Question(self._resolver, self._stopping)
        host = dns.name.from_text(name, self._suffix)
        if self._port is not None:
            found = [_instance(name, address, self._port) for address in asked.addresses(host)]
        else:
            found = list(_from_srv(name, asked, host))
        return found, min(max(asked.ttl_s, FLOOR_S), CEILING_S)


class _Question:
    """What is asked in one look-up, and the shortest time to live among the answers."""

    def __init__(self, resolver: dns.resolver.Resolver, stopping: threading.Event) -> None:
        self._resolver, self._stopping = resolver, stopping
        self.ttl_s = CEILING_S

    def addresses(self, host: dns.name.Name) -> list[str]:
        """Those of version 4; those of version 6 where there are no others, so that no instance appears twice."""
        return [str(ip_address(row.address)) for row in self.rows(host, "A") or self.rows(host, "AAAA")]

    def rows(self, name: dns.name.Name, kind: str) -> list[Any]:
        """The records; none where there is no such name."""
        if self._stopping.is_set():
            raise OSError("stopping")
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            self.ttl_s = 0.0  # somebody waits for the first one
            return []
        self.ttl_s = min(self.ttl_s, answer.chaining_result.minimum_ttl) if answer.rrset else 0.0
        return list(answer.rrset or ())


def _from_srv(name: str, asked: _Question, host: dns.name.Name) -> Iterator[Instance]:
    rows = asked.rows(dns.name.from_text("_http._tcp", host), "SRV")
    best = min((row.priority for row in rows), default=0)  # the others are meant for when these are gone
    for row in rows:
        if row.priority == best:
            for address in asked.addresses(row.target):
                yield _instance(name, address, row.port, max(1, row.weight))


def _instance(name: str, address: str, port: int, weight: int = 1) -> Instance:
    return Instance(f"{name}-{address}-{port}", name, address, port, weight=weight)


def _make_resolver(server: tuple[str, int] | None) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=server is None)
    if server is not None:
        resolver.nameservers, resolver.port = [server[0]], server[1]
    resolver.timeout, resolver.lifetime = TRY_S, ANSWER_S
    resolver.use_edns(0, 0, UDP_BYTES)
    return resolver
