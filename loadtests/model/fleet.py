"""All hosts and replicas of a simulated shop, and who is asked."""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from itertools import count

from simpy import Environment

from loadtests.model.layout import Layout
from loadtests.model.stations import Host, Replica

ENDLESS = 1_000_000  # cores and processes of those who stand outside


class Refused(Exception):
    """Nobody has room, or too many orders are open: 503, or 429."""


class Fleet:
    """replicas: service -> its instances. listed: those of them that others know, which lags behind."""

    def __init__(self, env: Environment, layout: Layout, rng: random.Random, cold: Mapping[str, float]) -> None:
        self._layout, self._rng = layout, rng
        self.hosts = [Host(env, layout.cores, number % layout.zones) for number in range(layout.hosts)]
        elsewhere = Host(env, ENDLESS, zone=-1)
        self.replicas: dict[str, list[Replica]] = {}
        dealt = count()
        for service, number in sorted(layout.replicas.items()):
            pools = {"threads": layout.threads_of(service), "workers": layout.workers}
            hosts = [self.hosts[next(dealt) % layout.hosts] for _ in range(number)]
            about = (pools, layout.processes.get(service, 1), cold.get(service, 0.0))
            self.replicas[service] = [Replica(env, host, *about) for host in hosts]
        for service in layout.outside:
            self.replicas[service] = [Replica(env, elsewhere, {"threads": None, "workers": None}, ENDLESS)]
        self.listed = {service: list(replicas) for service, replicas in self.replicas.items()}
        self._turn: defaultdict[str, int] = defaultdict(int)
        self._choose: Callable[[str, list[Replica]], Replica] = getattr(self, f"_{layout.strategy}")

    def pick(self, service: str, tried: Collection[Replica] = ()) -> Replica:
        """An instance with room, by the layout's strategy; not one that was tried, if there is another.

        Raises Refused.
        """
        listed = self.listed[service]
        if tried:
            listed = [replica for replica in listed if replica not in tried] or listed
        if not listed:
            raise Refused
        chosen = self._choose(service, listed)
        places = self._layout.places_per_thread * (self._layout.threads_of(service) or 0)
        if places and chosen.inside >= places:
            chosen = min(listed, key=lambda replica: replica.inside)
            if chosen.inside >= places:
                raise Refused
        return chosen

    def any_alive(self, service: str) -> Replica | None:
        return next((replica for replica in self.replicas[service] if replica.alive), None)

    def _random(self, _service: str, listed: list[Replica]) -> Replica:
        return listed[int(self._rng.random() * len(listed))]

    def _p2c(self, service: str, listed: list[Replica]) -> Replica:
        one, other = self._random(service, listed), self._random(service, listed)
        return one if one.inside <= other.inside else other

    def _round_robin(self, service: str, listed: list[Replica]) -> Replica:
        self._turn[service] += 1
        return listed[self._turn[service] % len(listed)]

    def _of(self, zone: int) -> list[Replica]:
        return [replica for replicas in self.replicas.values() for replica in replicas if replica.host.zone == zone]

    def lose(self, zone: int) -> None:
        """All of a zone is gone at once; nobody knows yet."""
        for host in self.hosts:
            if host.zone == zone:
                host.lose()
        for replica in self._of(zone):
            replica.lose()

    def forget(self, zone: int) -> None:
        """Now others know, and ask nobody there."""
        self.listed = {s: [r for r in replicas if r.host.zone != zone] for s, replicas in self.replicas.items()}

    def come_back(self, zone: int) -> None:
        """It is there again, empty, and registered."""
        for replica in self._of(zone):
            replica.come_back()
        self.listed = {service: list(replicas) for service, replicas in self.replicas.items()}

    @property
    def cpu_s(self) -> dict[str, float]:
        """service -> CPU that its replicas have used (s)."""
        return {service: sum(replica.cpu_s for replica in replicas) for service, replicas in self.replicas.items()}
