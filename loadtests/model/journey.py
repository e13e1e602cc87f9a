"""One request on its way through the shop, and the events that it sets off."""

import random
from contextlib import suppress
from dataclasses import dataclass, field

from simpy import Environment

from loadtests.model.calibration import Calibration
from loadtests.model.fleet import Fleet, Refused
from loadtests.model.stations import Lost, Replica, Slots, Steps
from loadtests.model.topology import BANK, NGINX, Visit, tree

TRIES = 3  # instances that a request is sent to, one after the other
TRY_S = 0.7  # after which one that is silent is given up (try_ms in services/fleet.toml)
TIMEOUT_S = 10.0  # of a request: what has not begun by then never does
CLAIM_S = 2.0  # after which another instance delivers what a lost one had claimed
BACK_OFF_S, LONGEST_BACK_OFF_S = 0.05, 2.0  # between the tries of an event, which go on for ever


class TooLate(Exception):
    """Its time was over before its turn came: 504."""


@dataclass(frozen=True)
class Errand:
    """What a visit is for: the step, when its request came, when nobody waits for it any more."""

    step: str
    came_s: float
    until_s: float = float("inf")


@dataclass
class Journey:
    """under_way: requests and events that have not ended. settled: (when an order came, how long it took) (s)."""

    env: Environment
    calibration: Calibration
    fleet: Fleet
    rng: random.Random
    most_open_orders: int = 0
    under_way: int = 0
    open_orders: int = 0
    retries: int = 0
    settled: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._locks = {service: Slots(self.env, 1) for service in self.calibration.locks_s}
        self._units = {
            step: {visit.service: self.calibration.unit_s(step, visit.service) for visit in tree(step).everything()}
            for step in self.calibration.demands_s
        }
        self._beside = {
            step: [(self.fleet.replicas[who][0], s) for who, s in beside.items() if s and who in self.fleet.replicas]
            for step, beside in ((step, self.calibration.beside(step)) for step in self.calibration.demands_s)
        }

    def request(self, step: str) -> Steps:
        """From its arrival to its answer. Returns ok, refused, lost or late."""
        errand = Errand(step, self.env.now, self.env.now + TIMEOUT_S)
        self.under_way += 1
        for replica, work_s in self._beside[step]:
            self.env.process(self._compute(replica, work_s))
        result = "ok"
        try:
            yield from self._ask(errand, tree(step), self.calibration.waits_s.get(step, 0.0))
        except (Refused, Lost, TooLate) as error:
            result = {Refused: "refused", Lost: "lost", TooLate: "late"}[type(error)]
        self.under_way -= 1
        return result if self.env.now <= errand.until_s else "late"

    def _compute(self, replica: Replica, work_s: float) -> Steps:
        """CPU that nobody waits for."""
        if replica.alive:
            with suppress(Lost):
                yield from replica.burst(work_s)

    def _ask(self, errand: Errand, visit: Visit, wait_s: float = 0.0) -> Steps:
        """One instance, and another one where the first is silent.

        Raises Refused, TooLate; Lost when all were silent.
        """
        tried: list[Replica] = []
        while True:
            began, replica = self.env.now, self.fleet.pick(visit.service, tried)
            life = replica.life if replica.alive else -1
            replica.inside += 1
            try:
                yield from self._serve(errand, visit, replica, wait_s)
                return
            except Lost:
                tried.append(replica)
                if life == replica.life or len(tried) == TRIES:
                    raise  # not this one, but somebody behind it
                yield self.env.timeout(max(0.0, began + TRY_S - self.env.now))
                self.retries += 1
            finally:
                replica.inside -= 1

    def _serve(self, errand: Errand, visit: Visit, replica: Replica, wait_s: float) -> Steps:
        if not replica.alive:
            raise Lost
        life, pool = replica.life, replica.pools[visit.pool]
        if (turn := pool.enter()) is not None:
            yield turn
        try:
            self._admit(errand, visit)
            yield from replica.burst(self._work(errand.step, visit.service, visit.units))
            for call in visit.calls:
                yield from self._ask(errand, call, wait_s if visit.service == NGINX else 0.0)
            yield from self._wait(visit, wait_s)
            if replica.life != life:
                raise Lost
        finally:
            pool.leave()
        self._mark(errand, visit)
        for event in visit.then:
            self.env.process(self._deliver(Errand(errand.step, errand.came_s), event, visit.service, replica))

    def _wait(self, visit: Visit, wait_s: float) -> Steps:
        """What takes time and no processor: the write lock, the disk and the like, the bank."""
        if visit.writes and (lock := self._locks.get(visit.service)) is not None:
            if (turn := lock.enter()) is not None:
                yield turn
            yield self.env.timeout(self.calibration.locks_s[visit.service])
            lock.leave()
        pause_s = (self.calibration.bank_s if visit.service == BANK else 0.0) + (
            wait_s if visit.service != NGINX else 0.0
        )
        if pause_s:
            yield self.env.timeout(pause_s)

    def _deliver(self, errand: Errand, event: Visit, sender: str, replica: Replica) -> Steps:
        """Until it has arrived, whoever is lost or busy meanwhile."""
        self.under_way += 1
        back_off_s, is_sent = BACK_OFF_S, event.inside
        while True:
            try:
                if not is_sent:
                    yield from self._send(errand, sender, replica)
                    is_sent = True
                if event.inside and replica.alive:
                    yield from self._serve(errand, event, replica, 0.0)
                else:
                    yield from self._ask(errand, event)
                break
            except (Refused, Lost):
                if not replica.alive:
                    replica = self.fleet.any_alive(sender) or replica
                    yield self.env.timeout(CLAIM_S)
                yield self.env.timeout(back_off_s)
                back_off_s = min(LONGEST_BACK_OFF_S, 2 * back_off_s)
        self.under_way -= 1

    def _send(self, errand: Errand, sender: str, replica: Replica) -> Steps:
        if not replica.alive:
            raise Lost
        life = replica.life
        yield from replica.burst(self._work(errand.step, sender, 1))
        if replica.life != life:
            raise Lost

    def _admit(self, errand: Errand, visit: Visit) -> None:
        if self.env.now > errand.until_s:
            raise TooLate
        if visit.marks == "placed" and 0 < self.most_open_orders <= self.open_orders:
            raise Refused

    def _mark(self, errand: Errand, visit: Visit) -> None:
        if visit.marks == "placed":
            self.open_orders += 1
        elif visit.marks == "settled":
            self.open_orders -= 1
            self.settled.append((errand.came_s, self.env.now - errand.came_s))

    def _work(self, step: str, service: str, units: int) -> float:
        """CPU of so many units, drawn from a gamma distribution with the calibration's spread (s)."""
        mean_s, spread = units * self._units[step][service], self.calibration.cpu_cv
        if not spread or not mean_s:
            return mean_s
        shape = 1 / spread**2
        return self.rng.gammavariate(shape, mean_s / shape)
