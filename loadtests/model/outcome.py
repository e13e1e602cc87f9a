"""What came of a simulated run: each request with its end, and what one asks of them.

Rates are those of all cells together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Ended(NamedTuple):
    """A request: when it came and left (s), and how: ok, refused, lost or late."""

    step: str
    came_s: float
    left_s: float
    result: str


@dataclass(frozen=True)
class Outcome:
    """ended: all requests of the simulated cell. cpu_s: service -> CPU used between warm_up_s and until_s (s).

    settled: (when an order came, how long until it was CONFIRMED) (s). left_over: requests and events that never
    ended; 0, or the simulation is wrong.
    """

    ended: Sequence[Ended]
    cpu_s: Mapping[str, float]
    settled: Sequence[tuple[float, float]]
    warm_up_s: float
    until_s: float
    cells: int
    retries: int
    left_over: int

    @property
    def seconds(self) -> float:
        return self.until_s - self.warm_up_s

    def of(self, step: str | None = None) -> list[Ended]:
        """Those that came after the warm-up."""
        return [e for e in self.ended if e.came_s >= self.warm_up_s and step in (None, e.step)]

    def count(self, result: str, step: str | None = None) -> int:
        """How many of all cells came after the warm-up and ended so."""
        return self.cells * sum(e.result == result for e in self.of(step))

    def offered(self, step: str | None = None) -> float:
        """Requests that came, a second."""
        return self.cells * len(self.of(step)) / self.seconds

    def throughput(self, step: str | None = None) -> float:
        """Good answers between the warm-up and the end of the load, a second."""
        good = sum(
            e.result == "ok" and self.warm_up_s <= e.left_s < self.until_s and step in (None, e.step)
            for e in self.ended
        )
        return self.cells * good / self.seconds

    def response_s(self, step: str | None = None) -> np.ndarray:
        """Of good answers, in the order in which they came (s)."""
        return np.array(
            [e.left_s - e.came_s for e in sorted(self.of(step), key=lambda e: e.came_s) if e.result == "ok"]
        )

    def mean_s(self, step: str | None = None) -> float:
        """nan where there is no good answer."""
        values = self.response_s(step)
        return float(values.mean()) if values.size else float("nan")

    def percentile_s(self, share: float, step: str | None = None) -> float:
        """The nearest rank, as of a measured run; nan where there is no good answer."""
        values = self.response_s(step)
        return float(np.quantile(values, share, method="inverted_cdf")) if values.size else float("nan")

    def settle_s(self, share: float = 0.5) -> float:
        """From the arrival of an order to its end, for those that came after the warm-up; nan without any."""
        values = [took for came, took in self.settled if came >= self.warm_up_s]
        return float(np.quantile(values, share, method="inverted_cdf")) if values else float("nan")

    def cores(self, service: str) -> float:
        """Cores in use, of all cells, what is used idle not counted."""
        return self.cells * self.cpu_s[service] / self.seconds

    def results(self) -> dict[str, int]:
        """ok, refused, lost, late -> how many, of all cells."""
        return {result: self.cells * number for result, number in Counter(e.result for e in self.of()).items()}
