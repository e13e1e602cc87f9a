"""Coordinated omission: what a generator hides that counts latency from when it sent, not from when it was due.

A client that waits for a slow answer sends less while the system is slow, and so measures least when there is most to
see. Source: Tene, "How NOT to Measure Latency", 2013.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from loadtests.lab.statistics import PERCENTILES, percentile

TOLERANCE, TOLERANCE_MS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """Percentiles in ms, share -> value, by both clocks, of n requests."""

    latency_ms: dict[float, float]
    response_ms: dict[float, float]
    n: int

    @property
    def differ(self) -> bool:
        """Whether a percentile hides more than 5 % and more than 1 ms when it counts from the sending."""
        pairs = [(self.latency_ms[share], self.response_ms[share]) for share in self.latency_ms]
        return any(due - sent > max(TOLERANCE * sent, TOLERANCE_MS) for due, sent in pairs)


def compare_clocks(latency_ms: ArrayLike, response_ms: ArrayLike, shares: tuple[float, ...] = PERCENTILES) -> Clocks:
    """latency_ms: from the scheduled time; response_ms: from the sending; one of each for every request."""
    due, sent = np.asarray(latency_ms, float), np.asarray(response_ms, float)
    return Clocks({s: percentile(due, s) for s in shares}, {s: percentile(sent, s) for s in shares}, int(due.size))
