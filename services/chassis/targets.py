"""What a process knows of each neighbour that it calls: whom to pick, and whether to ask at all."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.balancing import DEFAULT_STRATEGY, Strategy, make_strategy
from chassis.instance import Instance
from chassis.load import Load
from chassis.resilience import Breaker, RetryBudget, SideBench


@dataclass(frozen=True)
class Target:
    """One neighbour."""

    name: str
    strategy: Strategy
    load: Load
    budget: RetryBudget
    breaker: Breaker
    bench: SideBench

    def pick(self, instances: list[Instance], key: str | None, tried: set[str]) -> Instance | None:
        """One that was not tried yet; one from the bench only if there is no other."""
        benched = self.bench.current()
        if benched and (instance := self.strategy.pick(instances, key, tried | benched)) is not None:
            return instance
        return self.strategy.pick(instances, key, tried)


class Targets:
    """All neighbours, each from its first call on. `balancing`: target -> strategy, "*" for all others."""

    def __init__(
        self, balancing: Mapping[str, str], fail_max: int, reset_s: float, seed: int | None, retry_share: float
    ) -> None:
        self._balancing, self._seed = balancing, seed
        self._fail_max, self._reset_s, self._retry_share = fail_max, reset_s, retry_share
        self._known: dict[str, Target] = {}

    def of(self, name: str) -> Target:
        target = self._known.get(name)
        # Of two threads that come first together, the target of one is used by both.
        return target if target is not None else self._known.setdefault(name, self._make(name))

    def _make(self, name: str) -> Target:
        strategy = self._balancing.get(name) or self._balancing.get("*") or DEFAULT_STRATEGY
        load = Load()
        return Target(
            name,
            make_strategy(strategy, self._seed, load),
            load,
            RetryBudget(self._retry_share),
            Breaker(name, self._fail_max, self._reset_s),
            SideBench(),
        )
