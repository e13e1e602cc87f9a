"""Retries: what they add to the load.

How many more requests they make, through layers, under a budget, and when failures come from the load itself.
Symbols: p share of tries that fail, t tries that a caller makes at most (1: no retry), L layers that each try t
times, b budget: at most b retries for each request, x tries that arrive at the service (1/s), l requests that
customers bring (1/s).

Sources: Beyer, Jones, Petoff and Murphy (eds.), "Site Reliability Engineering", 2016, chapters 21 and 22; Bronson,
Aghayev, Charapko and Zhu, "Metastable Failures in Distributed Systems", HotOS 2021.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.model.checks import not_negative, positive, share, whole


def attempts(failure: float, tries: int, budget: float | None = None) -> float:
    """Mean tries for one request: 1 + p + … + p^{t-1} = (1 - p^t)/(1 - p), and at most 1 + b. Raises ValueError.

    SRE, chapter 21.
    """
    share(failure=failure)
    whole(1, tries=tries)
    made = math.fsum(failure**number for number in range(tries))
    if budget is None:
        return made
    not_negative(budget=budget)
    return min(made, 1 + budget)


def still_failing(failure: float, tries: int) -> float:
    """What the caller still sees fail, without a budget: p^t, where tries fail independently. Raises ValueError."""
    share(failure=failure)
    whole(1, tries=tries)
    return float(failure**tries)


def amplification(failure: float, tries: int, layers: int, budget: float | None = None) -> float:
    """Tries at the bottom for one request at the top, where each of L layers tries what failed below it again.

    prod of `attempts` with the p that a layer sees: p at the lowest, p^t above it, then p^{t^2} …; t^L for p = 1.
    With a
    budget at most (1 + b)^L, and a layer that ran out of budget hands on the failures that it could not
    repeat: p' = 1 - (1 - p) m, m the tries made. Raises ValueError. SRE, chapter 22 ("layered retries").
    """
    whole(1, layers=layers)
    product = 1.0
    for _ in range(layers):
        made = attempts(failure, tries, budget)
        product *= made
        failure = min(1.0, max(0.0, 1 - (1 - failure) * made))
    return product


@dataclass(frozen=True)
class EffectiveLoad:
    """Tries that arrive at the service (1/s): from a calm start, and after a storm has begun.

    Two values that differ mean that a short trouble can turn into one that stays: the load is metastable.
    """

    calm: float
    storm: float

    @property
    def metastable(self) -> bool:
        return self.storm > self.calm * (1 + 1e-6)


def effective_load(
    offered: float, failure_at: Callable[[float], float], tries: int, budget: float | None = None
) -> EffectiveLoad:
    """The load that retries settle at, where failures come from the load.

    x = l `attempts`(p(x)), where failures p(x) depend on the load and do not fall with it. The least fixed point by
    iteration from x = l upwards, the greatest from x = l t (or l (1 + b)) downwards; both exist because the right
    side grows with x (Tarski). Raises ValueError for bad input, and where p(x) is no share. Bronson et al. 2021.
    """
    positive(offered=offered)

    def settle(load: float) -> float:
        for _ in range(100_000):
            after = offered * attempts(failure_at(load), tries, budget)
            if math.isclose(after, load, rel_tol=1e-12):
                break
            load = after
        return load

    return EffectiveLoad(settle(offered), settle(offered * attempts(1, tries, budget)))


def failures_beyond(capacity: float) -> Callable[[float], float]:
    """p(x) = max(0, 1 - capacity/x): a service answers `capacity` a second and refuses the others at no cost."""
    positive(capacity=capacity)
    return lambda load: max(0.0, 1 - capacity / load)


def failures_by_timeout(capacity: float, timeout_s: float) -> Callable[[float], float]:
    """p(x) = exp(-(capacity - x) timeout_s): an M/M/1 whose callers give up, and whose work is done all the same.

    1 from x = capacity on: all that is done then is done for somebody who has left. Kleinrock 1975, section 3.2.
    """
    positive(capacity=capacity, timeout_s=timeout_s)
    return lambda load: math.exp(-max(0.0, capacity - load) * timeout_s)
