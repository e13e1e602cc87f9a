"""Which instances are so much worse than their peers that no request is sent to them for a while. Pure.

The idea is Envoy's outlier detection (envoyproxy.io, "Outlier detection"): passive, by what happens to requests, and
relative. What all instances suffer from is nobody's fault, and leaving one out would make it worse. So a failure
counts against an instance only if it answered nothing of that kind (a read, a write) meanwhile and a peer did: while
somebody holds SQLite's write lock, nobody answers writes; under overload, everybody answers some. Two rules, since one
that hangs gives no latency to compare:

    hung    FAILURES such attempts of one kind in a row
    slow    the median of the last SAMPLES reads is far above that of the instance in the middle

Never more than half are left out: the others have to carry the load.

All times are seconds on a monotonic clock that the caller reads.
"""

import statistics
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

FAILURES = 3
SAMPLES = 8
ANSWERS = 64
AT_ONCE_S = 0.1  # a peer that answers so soon after the failure would have answered during it
WINDOW_S = 10.0  # older reads say nothing about now
SLOWER_TIMES, SLOWER_S = 3.0, 0.1  # both: neither 1 ms instead of 0.3 nor 600 instead of 500 is worth an ejection
BUSY_S = 0.25  # where this is usual, there is too much to do, and not one that is slow
MOST_TIMES = 10


@dataclass(frozen=True)
class Attempt:
    """What became of one request at one instance.

    target: its address as nginx writes it. began_at, ended_at: on our clock.
    """

    target: str
    read: bool
    began_at: float
    ended_at: float
    answered: bool


@dataclass
class _History:
    """One instance. in_a_row: failures; answers: when the last ones came. Both by kind, reads being True."""

    reads: deque[Attempt] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    in_a_row: dict[bool, int] = field(default_factory=lambda: defaultdict(int))
    answers: dict[bool, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=ANSWERS)))

    def median(self, now: float) -> float | None:
        """Of the seconds of the last reads; None without enough of them."""
        recent = [read.ended_at - read.began_at for read in self.reads if read.ended_at > now - WINDOW_S]
        return statistics.median(recent) if len(recent) == SAMPLES else None

    def answered_during(self, attempt: Attempt, and_s: float = 0.0) -> bool:
        """Whether it answered a request of the same kind meanwhile, or until `and_s` seconds later."""
        return any(attempt.began_at <= at <= attempt.ended_at + and_s for at in self.answers[attempt.read])


@dataclass(frozen=True)
class Ejection:
    """until: when it ends. times: how often in a row by now."""

    until: float
    times: int


class Outliers:
    """base_s: how long the first ejection lasts, 0: there is none; the next ones of the same instance are longer."""

    def __init__(self, base_s: float) -> None:
        self._base_s = base_s
        self._peers: dict[str, Collection[str]] = {}
        self._histories: dict[str, _History] = {}
        self._ejections: dict[str, Ejection] = {}

    def follow(self, services: Mapping[str, Collection[str]]) -> None:
        """These are the targets of each service from now on; what is known of others is forgotten."""
        self._peers = {target: targets for targets in services.values() for target in targets}
        self._histories = {t: self._histories.get(t, _History()) for t in self._peers}
        self._ejections = {t: ejection for t, ejection in self._ejections.items() if t in self._peers}

    def ejected(self, now: float) -> frozenset[str]:
        return frozenset(target for target, ejection in self._ejections.items() if ejection.until > now)

    def note(self, attempt: Attempt) -> None:
        """Attempts of one request: those that were answered first, since they are what the others are judged by."""
        history = self._histories.get(attempt.target)
        if history is None:
            return
        if attempt.read:
            history.reads.append(attempt)
        if attempt.answered:
            history.answers[attempt.read].append(attempt.ended_at)
            history.in_a_row[attempt.read] = 0
        elif not history.answered_during(attempt) and self._a_peer_answered_during(attempt):
            history.in_a_row[attempt.read] += 1

    def judge(self, now: float) -> dict[str, str]:
        """Eject who has to be; target -> why, for those that were ejected just now."""
        if not self._base_s:
            return {}
        found = {target: why for target in self._peers if (why := self._fault(target, now))}
        return {target: why for target, why in found.items() if self._eject(target, now)}

    def _fault(self, target: str, now: float) -> str | None:
        history = self._histories[target]
        if max(history.in_a_row.values(), default=0) >= FAILURES:
            return f"{FAILURES} attempts in a row without an answer"
        medians = [self._histories[peer].median(now) for peer in self._peers[target]]
        mine, known = history.median(now), [median for median in medians if median is not None]
        if mine is None:
            return None
        usual = statistics.median_low(known)  # of two, the faster one
        slow = mine > SLOWER_TIMES * usual and mine > usual + SLOWER_S and usual < BUSY_S
        return f"{mine * 1000:.0f} ms for a read, and {usual * 1000:.0f} elsewhere" if slow else None

    def _a_peer_answered_during(self, attempt: Attempt) -> bool:
        return any(self._histories[peer].answered_during(attempt, AT_ONCE_S) for peer in self._peers[attempt.target])

    def _eject(self, target: str, now: float) -> bool:
        out = self.ejected(now)
        peers = self._peers[target]
        if target in out or len(out.intersection(peers)) + 1 > len(peers) // 2:
            return False
        before = self._ejections.get(target)
        # Well for as long as it had been out: the next time is a first time again.
        again = before is not None and now < before.until + self._base_s * before.times
        times = min(before.times + 1, MOST_TIMES) if before is not None and again else 1
        self._ejections[target] = Ejection(now + self._base_s * times, times)
        self._histories[target] = _History()
        return True
