"""The shop as a discrete-event simulation: requests arrive, queue, compute, call, wait, and what they set off goes on.

What is in it: threads, Python's one turn at a time, processors shared by the replicas of a host, the bank, event
deliveries, retries on another instance after a short try, refusals, machines that are lost and come back. What is
not: databases beside one write lock for each service (`Calibration.locks_s`), networks, memory. The same seed makes
the same run.

Source of the method: Law, "Simulation Modeling and Analysis", 5th edition, 2015, chapters 1 and 9. SimPy:
<https://simpy.readthedocs.io>.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from simpy import Environment

from loadtests.model.calibration import Calibration
from loadtests.model.checks import not_negative, positive, whole
from loadtests.model.fleet import Fleet
from loadtests.model.journey import Journey
from loadtests.model.layout import Layout
from loadtests.model.outcome import Ended, Outcome
from loadtests.model.stations import Steps


@dataclass(frozen=True)
class Load:
    """An open loop: `rate` requests a second to the whole, for so many seconds. mix: step -> weight.

    Raises ValueError.
    """

    rate: float
    mix: Mapping[str, float]
    seconds: float
    arrivals: Literal["poisson", "constant"] = "poisson"

    def __post_init__(self) -> None:
        positive(rate=self.rate, seconds=self.seconds)
        if self.arrivals not in ("poisson", "constant"):
            raise ValueError(f"arrivals are poisson or constant, not {self.arrivals!r}")


@dataclass(frozen=True)
class Users:
    """A closed loop: so many users of the whole, each of whom asks again as soon as the answer is there.

    Raises ValueError.
    """

    users: int
    mix: Mapping[str, float]
    seconds: float

    def __post_init__(self) -> None:
        whole(1, users=self.users)
        positive(seconds=self.seconds)


@dataclass(frozen=True)
class ZoneLoss:
    """A zone is gone from at_s on, for for_s seconds.

    Nobody is sent there any more after detect_s (the TTL of registrations).
    """

    at_s: float
    for_s: float
    zone: int = 0
    detect_s: float = 3.0

    def __post_init__(self) -> None:
        not_negative(at_s=self.at_s, for_s=self.for_s, zone=self.zone, detect_s=self.detect_s)


def simulate(
    calibration: Calibration,
    layout: Layout,
    load: Load | Users,
    *,
    seed: int = 1,
    warm_up_s: float = 0.0,
    loss: ZoneLoss | None = None,
) -> Outcome:
    """Run the load through one cell of the layout, until all that came has left.

    Raises ValueError for what cannot be.
    """
    env, rng = Environment(), random.Random(seed)
    fleet = Fleet(env, layout, rng, calibration.cold)
    journey = Journey(env, calibration, fleet, rng, layout.most_open_orders)
    ended: list[Ended] = []

    def ask(step: str) -> Steps:
        came = env.now
        result = yield from journey.request(step)
        ended.append(Ended(step, came, env.now, result))

    def arrive(load: Load) -> Steps:
        rates = {step: rate / layout.cells for step, rate in calibration.rates(load.rate, load.mix).items()}
        for gap_s, step in _arrivals(rates, load, rng):
            yield env.timeout(gap_s)
            if env.now >= load.seconds:
                return
            env.process(ask(step))

    def ask_again(shares: Mapping[str, float]) -> Steps:
        while env.now < load.seconds:
            yield from ask(rng.choices(list(shares), list(shares.values()))[0])

    if isinstance(load, Load):
        env.process(arrive(load))
    else:
        shares = calibration.rates(1.0, load.mix)
        for _ in range(max(1, load.users // layout.cells)):
            env.process(ask_again(shares))
    if loss is not None:
        env.process(_lose(env, fleet, loss))
    used = []
    for until_s in (warm_up_s, load.seconds, None):
        if until_s is None or until_s > env.now:
            env.run(until_s)
        used.append(fleet.cpu_s)
    cpu_s = {service: seconds - used[0][service] for service, seconds in used[1].items()}
    return Outcome(
        ended, cpu_s, journey.settled, warm_up_s, load.seconds, layout.cells, journey.retries, journey.under_way
    )


def _arrivals(rates: Mapping[str, float], load: Load, rng: random.Random) -> Iterator[tuple[float, str]]:
    """(seconds since the one before, step) without an end."""
    steps, weights, total = list(rates), list(rates.values()), sum(rates.values())
    while True:
        gap_s = rng.expovariate(total) if load.arrivals == "poisson" else 1 / total
        yield gap_s, rng.choices(steps, weights)[0]


def _lose(env: Environment, fleet: Fleet, loss: ZoneLoss) -> Steps:
    yield env.timeout(loss.at_s)
    fleet.lose(loss.zone)
    yield env.timeout(min(loss.detect_s, loss.for_s))
    fleet.forget(loss.zone)
    yield env.timeout(max(0.0, loss.for_s - loss.detect_s))
    fleet.come_back(loss.zone)
