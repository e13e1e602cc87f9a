"""What a cache saves: the hit rate from which it pays, and the hit rate that it will have.

Symbols: h hit rate, l requests for one object (1/s), T time to live (s), p_i popularity of object i (shares that add
up to 1).

Sources: Jung, Berger and Balakrishnan, "Modeling TTL-Based Internet Caches", INFOCOM 2003; Che, Tung and Wang,
"Hierarchical Web Caching Systems", IEEE JSAC 20, 2002; Breslau et al., "Web Caching and Zipf-like Distributions",
INFOCOM 1999; Hennessy and Patterson, "Computer Architecture", chapter 2 (mean access time).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.model.checks import not_negative, positive, share, whole


def mean_time_s(hit_rate: float, look_s: float, miss_s: float, store_s: float = 0) -> float:
    """Mean time of a request: look + (1 - h) (miss + store) (s). look: asking the cache, always paid.

    Raises ValueError.
    """
    share(hit_rate=hit_rate)
    not_negative(look_s=look_s, miss_s=miss_s, store_s=store_s)
    return look_s + (1 - hit_rate) * (miss_s + store_s)


def break_even(look_s: float, miss_s: float, store_s: float = 0) -> float:
    """The hit rate from which a cache pays: h* = (look + store) / (miss + store). Above 1: it never does.

    Raises ValueError. It is `mean_time_s` = miss, solved for h. The same formula holds for CPU seconds or money
    instead of time.
    """
    not_negative(look_s=look_s, store_s=store_s)
    positive(miss_s=miss_s)
    return (look_s + store_s) / (miss_s + store_s)


def ttl_hit_rate(rate: float, ttl_s: float) -> float:
    """Hit rate of one object under Poisson requests: h = l T / (1 + l T).

    One miss, then l T hits on average until it expires. rate: l (1/s), ttl_s: T, counted from the filling (s).
    Raises ValueError. Jung et al. 2003.
    """
    not_negative(rate=rate, ttl_s=ttl_s)
    return rate * ttl_s / (1 + rate * ttl_s)


def origin_rate(rate: float, ttl_s: float) -> float:
    """What still reaches the service for one object: l / (1 + l T), never more than 1/T (1/s). Raises ValueError."""
    return rate * (1 - ttl_hit_rate(rate, ttl_s))


def zipf(objects: int, exponent: float = 1) -> list[float]:
    """Popularity of the objects, the most wanted first: p_i = i^-s / sum j^-s. Raises ValueError. Breslau et al.

    1999: s 0.6 to 0.9.
    """
    whole(1, objects=objects)
    not_negative(exponent=exponent)
    weights = [rank**-exponent for rank in range(1, objects + 1)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def ttl_hit_rate_of_all(rate: float, popularity: Sequence[float], ttl_s: float) -> float:
    """Hit rate of a cache with room for everything: sum p_i (l p_i T)/(1 + l p_i T).

    rate: l requests for all objects together (1/s), ttl_s: T (s). Raises ValueError.
    """
    _check(popularity)
    return math.fsum(p * ttl_hit_rate(rate * p, ttl_s) for p in popularity)


@dataclass(frozen=True)
class Lru:
    """Hit rate of an LRU cache, and how long an object stays that nobody asks for, in requests for any object."""

    hit_rate: float
    stays_requests: float


def lru(popularity: Sequence[float], room: int) -> Lru:
    """Hit rate of an LRU cache with room for C objects, by Che's approximation.

    It errs by less than a percent where popularity is like Zipf's.     t solves sum (1 - exp(-p_i t)) = C, found by
    bisection; h = sum p_i (1 - exp(-p_i t)). Raises ValueError. Che et al. 2002.
    """
    _check(popularity)
    whole(1, room=room)
    if room >= sum(p > 0 for p in popularity):
        return Lru(1.0, math.inf)
    low, high = 0.0, float(room)
    while _kept(popularity, high) < room:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _kept(popularity, middle) < room else (low, middle)
    return Lru(math.fsum(-p * math.expm1(-p * high) for p in popularity), high)


def _kept(popularity: Sequence[float], stays: float) -> float:
    return math.fsum(-math.expm1(-p * stays) for p in popularity)


def _check(popularity: Sequence[float]) -> None:
    share(**{f"popularity[{rank}]": p for rank, p in enumerate(popularity)})
    if not math.isclose(math.fsum(popularity), 1, rel_tol=1e-6):
        raise ValueError(f"popularities must add up to 1, not {math.fsum(popularity):g}")
