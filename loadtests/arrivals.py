"""When requests leave, and which: seeded, so that the same seed makes the same load.

An open loop sends on schedule, whatever became of the requests before; so a system that stalls meets the load that
customers would bring, and not one that waits politely for it (Schroeder et al., "Open Versus Closed", NSDI 2006).
"""

import random
from collections.abc import Iterator, Mapping
from typing import Literal

Kind = Literal["poisson", "constant"]


def arrivals(rate: float, mix: Mapping[str, float], seed: int, kind: Kind = "poisson") -> Iterator[tuple[float, str]]:
    """(seconds after the start, step) without an end; `mix` is step -> weight.

    poisson: independent customers, exponential gaps with the mean 1 / rate. constant: every gap is 1 / rate.
    """
    rng = random.Random(seed)
    steps, weights = list(mix), list(mix.values())
    at_s, number = 0.0, 0
    while True:
        number += 1
        at_s = at_s + rng.expovariate(rate) if kind == "poisson" else number / rate
        yield at_s, rng.choices(steps, weights)[0]


def parse_mix(text: str) -> dict[str, float]:
    """`"page=6,order=1"` -> `{"page": 6.0, "order": 1.0}`. Raises ValueError."""
    mix = {name: float(weight) for name, _, weight in (part.partition("=") for part in text.split(","))}
    if any(weight <= 0 for weight in mix.values()):
        raise ValueError("weights must be above zero")
    return mix
