"""An autoscaler: once a period it looks at one service, and a policy says how many replicas that should have.

The hook is `Policy`: any function from an `Observation` to a number of replicas. `TargetTracking` is the reference.

    with Autoscaler(lab.system, "payments", threads=2, route="/internal/charges", policy=TargetTracking(0.6, 1, 6)):
        arm.wait(60)
"""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from loadtests.lab.errors import LoadBroke
from loadtests.lab.system import System

PERIOD_S = 1.0
SAYS_WITHIN_S = 0.5


@dataclass(frozen=True)
class Observation:
    """at_s: of the monotonic clock. utilisation: the mean share of all threads that worked since the last look."""

    at_s: float
    replicas: int
    utilisation: float


Policy = Callable[[Observation], int]


@dataclass
class TargetTracking:
    """n' = ceil(n u / u*), as the Kubernetes HorizontalPodAutoscaler has it; between `least` and `most`.

    target: u*. Within `tolerance` of it nothing changes. More at once; fewer only when the formula has asked for fewer
    during all of `calm_s`, and then no fewer than the most that it asked for in that time, so that it does not swing.
    """

    target: float
    least: int
    most: int
    tolerance: float = 0.1
    calm_s: float = 10.0
    _asked: list[tuple[float, int]] = field(default_factory=list)

    def __call__(self, seen: Observation) -> int:
        ratio = seen.utilisation / self.target
        wanted = seen.replicas if abs(ratio - 1) <= self.tolerance else math.ceil(seen.replicas * ratio)
        wanted = min(self.most, max(self.least, wanted))
        self._asked = [(t, n) for t, n in self._asked if t > seen.at_s - self.calm_s] + [(seen.at_s, wanted)]
        return max(n for _, n in self._asked) if wanted < seen.replicas else wanted


class Autoscaler:
    """Works from `__enter__` to `__exit__`. Utilisation is that of the threads that answer `route`.

    Little's law: the seconds that requests took, a second, are the threads that worked on average. Whoever is too busy
    to say it within `SAYS_WITHIN_S` counts as fully used: its numbers wait in the same queue as everybody.
    """

    def __init__(self, system: System, service: str, *, threads: int, route: str, policy: Policy) -> None:
        self._system, self._service, self._threads = system, service, threads
        self._route, self._policy = route, policy
        self._known: dict[str, tuple[float, float]] = {}  # instance -> (seconds that it has worked, when it said so)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="autoscaler")

    def __enter__(self) -> "Autoscaler":
        self._utilisations()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(PERIOD_S):
            with suppress(requests.RequestException, LoadBroke):  # an instance left just now: look again
                self._look()

    def _look(self) -> None:
        found = self._utilisations()
        if not found:
            return
        wanted = self._policy(Observation(time.monotonic(), len(found), sum(found) / len(found)))
        if wanted != len(found):
            self._system.scale(**{self._service: wanted})
            self._utilisations()  # what was before is of another number of replicas

    def _utilisations(self) -> list[float]:
        """Of each healthy instance since it was last asked; of one that is new, nothing is known yet: 0."""
        healthy = self._system.healthy(self._service)
        said = self._system.counters(self._service, "souk_request_seconds_sum", SAYS_WITHIN_S, route=self._route)
        now, found = time.monotonic(), []
        for instance in healthy:
            if instance not in said:
                found.append(1.0)
                continue
            worked_s, at_s = self._known.get(instance, (said[instance], now - PERIOD_S))
            found.append((said[instance] - worked_s) / (now - at_s) / self._threads)
            self._known[instance] = (said[instance], now)
        return found
