"""What one arm measured: its samples after the warm-up, who used the processor, and who was the limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from loadtests.lab.columns import Columns
from loadtests.lab.monitor import Row
from loadtests.lab.statistics import batch_means_interval, mser5, percentile

BUSY_GENERATOR, BUSY_HOST, LATE_MS = 0.85, 0.90, 50.0


@dataclass(frozen=True)
class Measured:
    """Times are seconds since the arm's start. The span from warm_up_s to end_s is what is judged.

    rows: the monitor's, with times since the arm's start. late_p99_ms: how late the generator sent.
    """

    arm: str
    repeat: int
    samples: Columns
    rows: Sequence[Row]
    warm_up_s: float
    end_s: float
    late_p99_ms: float = 0.0
    host_may_be_full: bool = False

    @property
    def seconds(self) -> float:
        return self.end_s - self.warm_up_s

    @cached_property
    def steady(self) -> Columns:
        """Those that were due after the warm-up, and before the load was told to end."""
        return self.samples.between(self.warm_up_s, self.end_s)

    @cached_property
    def requests(self) -> Columns:
        """The steady ones that are requests."""
        return requests_of(self.steady)

    def offered(self, step: str | None = None) -> float:
        """Requests that were due, a second."""
        return len(self.requests.of(step=step)) / self.seconds

    def throughput(self, step: str | None = None) -> float:
        """Good answers a second: those that came after the warm-up and before the end, whenever they were due."""
        every = self.samples.of(step=step)
        here = every.ok & (every.status > 0) & (every.ended_s >= self.warm_up_s) & (every.ended_s < self.end_s)
        return float(here.sum()) / self.seconds

    def latencies_ms(self, step: str | None = None) -> np.ndarray:
        """Of good answers, in the order in which they were due; from when they were due."""
        every = self.steady.of(step=step)
        good = every.latency_ms[every.ok]
        return good[np.argsort(every.scheduled_s[every.ok], kind="stable")]

    def mean_ms(self, step: str | None = None) -> float:
        values = self.latencies_ms(step)
        return float(values.mean()) if values.size else float("nan")

    def percentile_ms(self, share: float, step: str | None = None) -> float:
        return percentile(self.latencies_ms(step), share)

    def by_instance(self, step: str | None = None) -> dict[str, int]:
        """instance -> good answers."""
        every = self.requests.of(step=step)
        names, counts = np.unique(every.instance[every.ok & (every.instance != "")], return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    # ---- the processor

    @cached_property
    def cpu(self) -> dict[str, float]:
        """subject -> cores that it used on average."""
        return self._means("cpu_cores")

    def cores(self, subject: str) -> float:
        """nan where nobody measured, as on a machine that is not ours."""
        return self.cpu.get(subject, float("nan"))

    def demand_ms(self, subject: str, idle: "Measured | None" = None) -> float:
        """CPU time for each good answer, by the utilisation law: D = U / X. idle: what is used anyhow, taken off."""
        cores = self.cores(subject) - (idle.cores(subject) if idle is not None else 0.0)
        return 1000 * cores / self.throughput() if self.throughput() else float("nan")

    def over_time(self, subject: str, metric: str) -> list[tuple[float, float]]:
        """(second, value) of one of the monitor's rows."""
        return [(t, value) for t, who, what, value in self.rows if (who, what) == (subject, metric)]

    @property
    def host_share(self) -> float:
        """How busy all cores of the machine were, 0 to 1."""
        return self._means("cpu_share").get("host", float("nan"))

    @property
    def limit(self) -> str | None:
        """generator or host, if the figures say more about it than about the system."""
        if self.cores("generator") > BUSY_GENERATOR or self.late_p99_ms > LATE_MS:
            return "generator"
        return "host" if self.host_share > BUSY_HOST and not self.host_may_be_full else None

    def _means(self, metric: str) -> dict[str, float]:
        # A look tells of the second before it, so the first one after the warm-up is partly of before.
        found: dict[str, list[float]] = {}
        times = {t for t, *_ in self.rows if self.warm_up_s + 1 <= t <= self.end_s + 0.5}
        for t, subject, name, value in self.rows:
            if name == metric and t in times:
                found.setdefault(subject, []).append(value)
        # One that was not there at a look used nothing.
        return {subject: sum(values) / len(times) for subject, values in found.items()}

    # ---- for summary.json

    def row(self) -> dict[str, Any]:
        steps = {str(step): self._step(str(step)) for step in np.unique(self.steady.step)}
        return {
            "name": self.arm, "repeat": self.repeat, "offered_rate": self.offered(), "throughput": self.throughput(),
            "ok": int(self.requests.ok.sum()), "failed": int((~self.requests.ok).sum()),
            "resent": int(self.requests.resent.sum()), "steps": steps,
            "cpu": self.cpu, "host_share": self.host_share, "late_p99_ms": self.late_p99_ms, "limit": self.limit,
            "warm_up_s": self.warm_up_s, "seconds": self.seconds,
        }  # fmt: skip

    def _step(self, step: str) -> dict[str, Any]:
        values = self.latencies_ms(step)
        sure = batch_means_interval(values)
        every = self.steady.of(step=step)
        p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
        return {
            "n": int(values.size), "mean_ms": self.mean_ms(step), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
            "response_p99_ms": percentile(every.response_ms[every.ok], 0.99), "mean_ci": [sure.low, sure.high],
        }  # fmt: skip


def requests_of(samples: Columns) -> Columns:
    """Those that are requests; what is reported of whole journeys, such as "order settles", has no status."""
    return samples.where((samples.status > 0) | ~samples.ok)


def warm_up(samples: Columns, least_s: float, until_s: float) -> tuple[float, str]:
    """Where the warm-up ends, and why: at `least_s`, or later if MSER-5 over the latencies until `until_s` says so."""
    good = samples.where(samples.ok & (samples.scheduled_s < until_s))
    order = np.argsort(good.scheduled_s, kind="stable")
    found = mser5(good.latency_ms[order])
    if not found.steady:
        return least_s, f"{least_s:g} s; MSER-5 finds no steady part"
    cut_s = float(good.scheduled_s[order][found.cut])
    if cut_s <= least_s:
        return least_s, f"{least_s:g} s; MSER-5 asks for no more"
    return cut_s, f"MSER-5 leaves out the first {found.cut} of {len(good)} samples"
