"""How one of several healthy instances is picked, on the caller's side. A strategy is one small class.

`key` matters to the consistent hash alone; `exclude` is for those already tried. All are safe to use from many
threads.
"""

import bisect
import functools
import hashlib
import itertools
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence

from chassis.instance import Instance
from chassis.load import Load

DEFAULT_STRATEGY = "p2c"
VIRTUAL_NODES = 128  # per instance; the share of each then differs by about a tenth


class Strategy(ABC):
    def pick(
        self, instances: Sequence[Instance], key: str | None = None, exclude: Collection[str] = ()
    ) -> Instance | None:
        """One whose id is not in `exclude`, or None if there is none."""
        others = [instance for instance in instances if instance.id not in exclude] if exclude else instances
        if len(others) < 2:
            return others[0] if others else None
        return self._choose(others, key)

    @abstractmethod
    def _choose(self, others: Sequence[Instance], key: str | None) -> Instance: ...


class RoundRobin(Strategy):
    """One after the other. It starts anywhere, so that many callers do not all begin with the first."""

    def __init__(self, rng: random.Random) -> None:
        self._turns = itertools.count(rng.randrange(1_000))  # `next` is one step under the interpreter's lock

    def _choose(self, others: Sequence[Instance], _key: str | None) -> Instance:
        return others[next(self._turns) % len(others)]


class Random(Strategy):
    """Any, with equal chances. It needs no state, but by chance some get far more at a time than others."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def _choose(self, others: Sequence[Instance], _key: str | None) -> Instance:
        return self._rng.choice(others)


class PowerOfTwoChoices(Strategy):
    """Of two random instances the one that is less busy and not slow.

    Nearly as even as asking all, without everybody running to the same least loaded one (Mitzenmacher, "The
    Power of Two Choices in Randomized Load Balancing", 2001).
    """

    def __init__(self, rng: random.Random, load: Load) -> None:
        self._rng, self._load = rng, load

    def _choose(self, others: Sequence[Instance], _key: str | None) -> Instance:
        one, two = self._rng.sample(others, 2)
        return one if self._load.of(one.id) <= self._load.of(two.id) else two


class Weighted(Strategy):
    """In proportion to the registered weights, and spread out: a, b, a, c, a rather than a, a, a, b, c.

    The smooth weighted round robin of nginx (`ngx_http_upstream_get_peer`): each turn adds to every instance
    its weight, and takes the sum of all from the one that is picked.
    """

    REMEMBERED = 1_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credit: dict[str, int] = {}

    def _choose(self, others: Sequence[Instance], _key: str | None) -> Instance:
        with self._lock:
            if len(self._credit) > self.REMEMBERED:  # instances come and go; this must not grow for ever
                self._credit.clear()
            for instance in others:
                self._credit[instance.id] = self._credit.get(instance.id, 0) + instance.weight
            best = max(others, key=lambda instance: self._credit[instance.id])
            self._credit[best.id] -= sum(instance.weight for instance in others)
        return best


class ConsistentHash(Strategy):
    """The same key goes to the same instance; one that joins or leaves moves only its own share of the keys.

    Each instance stands at many points of a ring of hashes; a key belongs to the next point clockwise (Karger
    et al., "Consistent Hashing and Random Trees", 1997). Without a key any instance does.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def _choose(self, others: Sequence[Instance], key: str | None) -> Instance:
        if key is None:
            return self._rng.choice(others)
        by_id = {instance.id: instance for instance in others}
        points = _ring(tuple(sorted(by_id)))
        return by_id[points[bisect.bisect(points, (_hash(key), "")) % len(points)][1]]


@functools.lru_cache(maxsize=64)  # lists of instances change seldom
def _ring(ids: tuple[str, ...]) -> list[tuple[int, str]]:
    return sorted((_hash(f"{id}#{number}"), id) for id in ids for number in range(VIRTUAL_NODES))


def _hash(text: str) -> int:
    # Python's own hash() differs between processes, and all callers must agree.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def make_strategy(name: str, seed: int | None = None, load: Load | None = None) -> Strategy:
    """The strategy of this name, else ValueError. `seed` makes the random ones repeatable."""
    rng = random.Random(seed)
    strategies: dict[str, Callable[[], Strategy]] = {
        "round_robin": lambda: RoundRobin(rng),
        "random": lambda: Random(rng),
        "p2c": lambda: PowerOfTwoChoices(rng, load or Load()),
        "weighted": Weighted,
        "consistent_hash": lambda: ConsistentHash(rng),
    }
    if name not in strategies:
        raise ValueError(f"no strategy {name!r}; there are {', '.join(strategies)}")
    return strategies[name]()
