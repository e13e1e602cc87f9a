"""Stale beats empty: what to believe of a registry that may have forgotten half.

An address that turns out to be dead costs one retry; an empty list costs every request. So where the registry
is in doubt, the list that was good a moment ago stays in use.
"""

from collections.abc import Callable

from chassis.instance import Instance

SHORTEST_LOOK_S = 0.1


class Belief:
    """The instances of one service that are worth a try. Used by one thread.

    doubt_s: for so long after the registry was away, or came back with a lower index, those who are missing
    from its answer are taken to be alive and about to register anew. Also how close together all must have
    fallen silent to be taken for alive.
    """

    def __init__(self, doubt_s: float, clock: Callable[[], float]) -> None:
        self._doubt_s, self._clock = doubt_s, clock
        self._doubt_until = float("-inf")
        self._silent_since: dict[str, float] = {}
        self._missing: list[Instance] = []
        self._believed: list[Instance] = []

    def update(self, found: list[Instance], doubtful: bool) -> list[Instance]:
        """Take in an answer, critical instances included; the healthy ones, ordered by id."""
        now = self._clock()
        if doubtful:
            self._doubt_until = now + self._doubt_s
        in_doubt = now < self._doubt_until
        self._silent_since = {one.id: self._silent_since.get(one.id, now) for one in found if one.expired}
        listed = {instance.id for instance in found}
        self._missing = [old for old in self._believed if in_doubt and old.id not in listed]
        healthy = [instance for instance in found if instance.status == "passing"] + self._missing
        self._believed = sorted(healthy or self._expired(found), key=lambda instance: instance.id)
        return self._believed

    def settled_in_s(self) -> float | None:
        """When the answer has to be judged again although nothing changed; None when it need not."""
        return max(SHORTEST_LOOK_S, self._doubt_until - self._clock()) if self._missing else None

    def _expired(self, found: list[Instance]) -> list[Instance]:
        """With nobody healthy: those who missed their renewals, all within the same seconds.

        That all of them died together is less likely than that renewals did not get through (a stalled registry
        or machine). One that fell silent long before the last of the others is dead indeed.
        """
        newest = max(self._silent_since.values(), default=0.0)
        return [one for one in found if one.expired and self._silent_since[one.id] >= newest - self._doubt_s]
