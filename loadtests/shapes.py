"""How many come when: a rate over time, made of straight lines between points. Pure functions.

The rate is in arrivals a second for an open loop, in users for a closed one. `as_locust_shape` makes a Locust
`LoadTestShape` of the same profile.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Profile:
    """points: (seconds, rate), in the order of time, the first at 0. A step is two points at the same second.

    After the last point the rate stays as it is. Raises ValueError for points that are no such profile.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        times = [t for t, _ in self.points]
        if not times or times[0] != 0 or sorted(times) != times:
            raise ValueError("a profile begins at second 0 and goes on in the order of time")
        if any(rate < 0 for _, rate in self.points) or not all(
            math.isfinite(x) for point in self.points for x in point
        ):
            raise ValueError("a rate is a number of 0 or more")

    def rate(self, t: float) -> float:
        """The rate at a second; at a step, the one after it."""
        for (t0, r0), (t1, r1) in reversed(list(pairwise(self.points))):
            if t0 <= t < t1:
                return r0 + (r1 - r0) * (t - t0) / (t1 - t0)
        return self.points[-1][1] if t >= self.points[-1][0] else self.points[0][1]

    def when(self, count: float) -> float:
        """The second until which the rate adds up to `count` arrivals; inf if it never does.

        Where the rate goes from r with the slope s, x seconds bring r x + s x^2 / 2; this is solved for x.
        """
        for (t0, r0), (t1, r1) in pairwise(self.points):
            area = (r0 + r1) / 2 * (t1 - t0)
            if count <= area and area > 0:
                slope = (r1 - r0) / (t1 - t0)
                return t0 + 2 * count / (r0 + math.sqrt(max(0.0, r0 * r0 + 2 * slope * count)))
            count -= area
        last_s, last_rate = self.points[-1]
        return last_s + count / last_rate if last_rate > 0 else math.inf

    def __str__(self) -> str:
        return ",".join(f"{t:g}:{rate:g}" for t, rate in self.points)


def constant(rate: float) -> Profile:
    return Profile(((0.0, rate),))


def step(before: float, after: float, at_s: float) -> Profile:
    """From one rate to another at once."""
    return Profile(((0.0, before), (at_s, before), (at_s, after)))


def spike(base: float, peak: float, at_s: float, for_s: float) -> Profile:
    """A peak of `for_s` seconds on an even base."""
    over = at_s + for_s
    return Profile(((0.0, base), (at_s, base), (at_s, peak), (over, peak), (over, base)))


def ramp(low: float, high: float, over_s: float) -> Profile:
    """Evenly more (or fewer) for so many seconds."""
    return Profile(((0.0, low), (over_s, high)))


def parse_profile(text: str) -> Profile:
    """`"40"` (constant) or `"0:10,30:10,30:50"` (seconds:rate). Raises ValueError."""
    if ":" not in text:
        return constant(float(text))
    pairs = (part.partition(":") for part in text.split(","))
    return Profile(tuple((float(t), float(rate)) for t, _, rate in pairs))


def as_locust_shape(profile: Profile, seconds: float = math.inf) -> type[Any]:
    """A `LoadTestShape` class: as many users as the profile says, for so many seconds.

    Locust patches the process when it is imported, so it is imported only by who asks for this.
    """
    from locust import LoadTestShape

    class ProfileShape(LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            now = self.get_run_time()
            users = round(profile.rate(now))
            return None if now >= seconds else (users, max(1.0, float(users)))

    return ProfileShape
