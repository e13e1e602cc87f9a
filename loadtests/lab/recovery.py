"""What a fault cost: how long until it was noticed, until all was as before, and what happened to requests meanwhile.

Two rules, stated with every figure:

- **Detected**: the first event `detected` after the fault's begin, written by who watched for the system's reaction.
  Without one, where the faulty instance goes on answering: when it was last sent a request before `QUIET_S` without.
- **Recovered**: the end of the last bad second before the first `HOLD_S` good ones in a row that begin after the fault
  has ended. So a system that heals itself recovers while the fault goes on. A second is bad if more requests of it
  failed than 1 % (or than the share that failed before), or if its p95 is more than twice the p95 before and more than
  `SLOWER_MS` above it. A fault that made no second bad is recovered from at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.lab.columns import Columns
from loadtests.lab.statistics import percentile, samples_needed
from loadtests.lab.timeline import edges, timeline

WIDTH_S, HOLD_S, QUIET_S = 1.0, 5.0, 5.0
TIMES, SLOWER_MS, FAILED_SHARE = 2.0, 50.0, 0.01
RULE = (
    f"recovered: the end of the last bad second before {HOLD_S:.0f} good ones that begin after the fault's end; bad: "
    f"over {FAILED_SHARE:.0%} failed, or p95 over {TIMES:.0f} times and {SLOWER_MS:.0f} ms above the p95 before"
)
Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usual:
    """How it was before the fault: the bounds of a good second."""

    failed_share: float
    p95_ms: float

    @classmethod
    def of(cls, before: Columns) -> "Usual":
        share = float((~before.ok).mean()) if len(before) else 0.0
        return cls(max(FAILED_SHARE, share), percentile(before.latency_ms[before.ok], 0.95))

    @property
    def slow_ms(self) -> float:
        return max(TIMES * self.p95_ms, self.p95_ms + SLOWER_MS) if math.isfinite(self.p95_ms) else math.inf


def bad_seconds(samples: Columns, bins: NDArray[np.float64], usual: Usual) -> NDArray[np.bool_]:
    """For each bin, whether it was worse than usual. A bin in which nothing was due is not."""
    found = timeline(samples, bins, (0.95,))
    share = np.divide(found.failed, found.offered, out=np.zeros_like(found.failed), where=found.offered > 0)
    slow = np.nan_to_num(found.percentiles_ms[0.95], nan=0.0) > usual.slow_ms
    return (share > usual.failed_share) | slow


def recovered_after_s(samples: Columns, begin_s: float, end_s: float, last_s: float, usual: Usual) -> float | None:
    """Seconds from the fault's begin on; None when no `HOLD_S` good ones were seen from its end to `last_s`."""
    bins = edges(begin_s, last_s, WIDTH_S)
    bad, hold = bad_seconds(samples, bins, usual), round(HOLD_S / WIDTH_S)
    over = math.ceil((end_s - begin_s) / WIDTH_S - 1e-9)
    for first in range(over, len(bad) - hold + 1):
        if not bad[first : first + hold].any():
            worst = np.flatnonzero(bad[:first])
            return float(worst[-1] + 1) * WIDTH_S if worst.size else 0.0
    return None


def detected_after_s(events: Sequence[Event], begin_s: float) -> float | None:
    """Seconds from the fault's begin to the first event `detected`; None without one."""
    times = [float(str(event["t_s"])) for event in events if event["kind"] == "detected"]
    return min((time - begin_s for time in times if time >= begin_s), default=None)


def avoided_after_s(samples: Columns, victim: str, begin_s: float, end_s: float) -> float | None:
    """When the victim was last sent a request before `QUIET_S` without, in seconds from the fault's begin.

    None when it was sent some to the end. Only for an instance that goes on answering, since others leave no sample.
    """
    theirs = np.sort(samples.started_s[(samples.instance == victim) & (samples.started_s < end_s)])
    times = np.concatenate([[begin_s], theirs[theirs >= begin_s], [end_s]])
    quiet = np.flatnonzero(np.diff(times) >= QUIET_S)
    return float(times[quiet[0]] - begin_s) if quiet.size else None


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of `faults` in summary.json. Seconds; p99 in ms of good answers, None with too few of them to say."""

    arm: str
    repeat: int
    what: str
    begin_s: float
    end_s: float
    detection_s: float | None
    recovery_s: float | None
    failed: int
    resent: int
    p99_before_ms: float | None
    p99_during_ms: float | None
    p99_after_ms: float | None
    n_before: int
    n_during: int
    n_after: int
    rule: str = RULE

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def judge_fault(
    samples: Columns,
    events: Sequence[Event],
    what: str,
    span_s: tuple[float, float],
    begin_s: float,
    end_s: float,
    victim: str | None = None,
) -> Fault:
    """What a fault between begin_s and end_s cost, from one arm's samples and events within `span_s`, after warm-up.

    The part after the fault begins with the recovery, or with the fault's end where that is later: between the two
    is what it cost, and counts as during. victim: an instance that goes on answering.
    """
    first, last = span_s
    before = samples.between(first, begin_s)
    recovery = recovered_after_s(samples, begin_s, end_s, last, Usual.of(before))
    over = max(end_s, begin_s + recovery) if recovery is not None else last
    during, after = samples.between(begin_s, over), samples.between(over, last)
    detection = detected_after_s(events, begin_s)
    if detection is None and victim:
        detection = avoided_after_s(samples, victim, begin_s, end_s)
    p99, n = zip(*(_p99(part) for part in (before, during, after)), strict=True)
    arm, repeat = (str(samples.arm[0]), int(samples.repeat[0])) if len(samples) else ("", 0)
    lost = samples.between(begin_s, last)
    return Fault(
        arm, repeat, what, begin_s, end_s, detection, recovery, int((~lost.ok).sum()), int(lost.resent.sum()), *p99, *n
    )


def _p99(samples: Columns) -> tuple[float | None, int]:
    good = samples.latency_ms[samples.ok]
    return (percentile(good, 0.99) if good.size >= samples_needed(0.99) else None), int(good.size)
