"""When requests leave, and which: seeded, so that the same seed makes the same load.

An open loop sends on schedule, whatever became of the requests before; so a system that stalls meets the load that
customers would bring, and not one that waits politely for it (Schroeder et al., "Open Versus Closed", NSDI 2006).
"""

import random
from collections.abc import Iterator, Mapping
from typing import Literal

from loadtests.shapes import Profile, constant

Kind = Literal["poisson", "constant"]


def arrivals(
    rate: float | Profile, mix: Mapping[str, float], seed: int, kind: Kind = "poisson"
) -> Iterator[tuple[float, str]]:
    """(seconds after the start, step), without an end unless the rate falls to 0; `mix` is step -> weight.

    poisson: independent customers, exponential gaps with the mean 1 / rate. constant: every gap is 1 / rate. Where
    the rate changes over time, both are those of a rate of 1 on a clock that runs as fast as the rate says (Cinlar,
    Introduction to Stochastic Processes, 1975, section 4.7).
    """
    profile = rate if isinstance(rate, Profile) else constant(rate)
    rng = random.Random(seed)
    steps, weights = list(mix), list(mix.values())
    count = 0.0
    while True:
        count += rng.expovariate(1.0) if kind == "poisson" else 1.0
        at_s = profile.when(count)
        if at_s == float("inf"):
            return
        yield at_s, rng.choices(steps, weights)[0]


def parse_mix(text: str) -> dict[str, float]:
    """`"page=6,order=1"` -> `{"page": 6.0, "order": 1.0}`. Raises ValueError."""
    mix = {name: float(weight) for name, _, weight in (part.partition("=") for part in text.split(","))}
    if any(weight <= 0 for weight in mix.values()):
        raise ValueError("weights must be above zero")
    return mix
