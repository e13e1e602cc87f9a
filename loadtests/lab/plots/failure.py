"""A failure over time: rate, errors, latency, and which instance served. Two arms are two colours in one plot."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from loadtests.lab.columns import Columns
from loadtests.lab.plots.instances import draw_instances
from loadtests.lab.plots.style import COLOURS, GREY, SHADE, figure, legend_above, plain_log, save
from loadtests.lab.recovery import Fault
from loadtests.lab.timeline import Timeline, edges, readable_width, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = {0.5: ":", 0.95: "--", 0.99: "-"}
MARKS = {"detected": ("v", "-."), "recovered": ("o", "-")}


@dataclass(frozen=True)
class Trace:
    """One arm. Times are seconds since the arm's start; None where it did not come to that, or (span_s) for all."""

    samples: Columns
    begin_s: float
    end_s: float
    detected_s: float | None = None
    recovered_s: float | None = None
    span_s: tuple[float, float] | None = None

    @classmethod
    def of(cls, samples: Columns, fault: Fault, span_s: tuple[float, float] | None = None) -> Self:
        """From what `recovery.judge_fault` found in these samples."""
        after = [None if s is None else fault.begin_s + s for s in (fault.detection_s, fault.recovery_s)]
        return cls(samples, fault.begin_s, fault.end_s, *after, span_s)

    @property
    def shown_s(self) -> tuple[float, float]:
        due = self.samples.scheduled_s
        return self.span_s or ((float(due.min()), float(due.max())) if due.size else (self.begin_s, self.end_s))

    def timeline(self, width_s: float) -> Timeline:
        """Over the time shown, in bins that do not hold both sides of the fault's begin."""
        first, last = self.shown_s
        first = self.begin_s - width_s * int((self.begin_s - first) / width_s)
        return timeline(self.samples, edges(first, last, width_s))


def failure_timeline(
    arms: Mapping[str, Trace], folder: Path, name: str, title: str, service: str | None = None, caption: str = ""
) -> dict[str, str]:
    """Write the plot of one or two arms (name -> trace) and return its row for summary.json.

    Time 0 is the fault's begin. service: whose instances are shown at the bottom; None: of all.
    """
    heights = [1.15, 0.75, 1.5, *[0.9] * len(arms)]
    width_s = max(readable_width(t.samples, t.shown_s[1] - t.shown_s[0]) for t in arms.values())
    with figure(len(heights), 1.75 * sum(heights), sharex=True, height_ratios=heights) as (made, axes):
        rate, failed, latency, *below = axes
        for (arm, trace), colour, axis in zip(arms.items(), COLOURS, below, strict=False):
            label = arm if len(arms) > 1 else ""
            _draw_rates(rate, failed, trace, label, colour)
            _draw_percentiles(latency, trace.timeline(width_s), trace.begin_s, label, colour)
            draw_instances(axis, trace, label, service)
            for line in axes[:3]:
                _mark(line, trace, colour)
        _finish(axes, arms)
        said = f"{caption} Rates are counted per second, percentiles over {width_s:g} s.".strip()
        return save(made, folder, name, title, said)


def _draw_rates(rate: "Axes", failed: "Axes", trace: Trace, label: str, colour: str) -> None:
    found = trace.timeline(1.0)
    bins, first = found.bins - trace.begin_s, not rate.patches
    width = 2.4 if first and label else 1.4  # of two lines, what lies below stays to be seen
    if first:  # arms that are compared are offered the same
        rate.stairs(found.offered, bins, baseline=None, color=GREY, linewidth=0.9, label="offered")
    rate.stairs(found.good, bins, baseline=None, color=colour, linewidth=width, label=label or "answered well")
    failed.stairs(found.failed, bins, color=colour, fill=not label, linewidth=width)


def _draw_percentiles(axis: "Axes", found: Timeline, begin_s: float, label: str, colour: str) -> None:
    """One arm: three percentiles in three colours. Two arms: p50 and p99, since six lines are too many to read."""
    shares, first = (0.5, 0.99) if label else (0.5, 0.95, 0.99), not axis.lines
    for share, own in zip(shares, COLOURS, strict=False):
        line, marker = LINES[share], "." if share == 0.99 else ""
        values = found.percentiles_ms[share]
        axis.plot(
            found.middles - begin_s, values, line, color=colour if label else own, marker=marker, markersize=4,
            linewidth=2.2 if first and label else 1.4,
        )  # fmt: skip
        if first:
            axis.plot([], [], line, color=GREY if label else own, marker=marker, label=f"p{100 * share:g}")


def _mark(axis: "Axes", trace: Trace, colour: str) -> None:
    for (marker, style), at_s in zip(MARKS.values(), (trace.detected_s, trace.recovered_s), strict=True):
        if at_s is not None:
            axis.axvline(at_s - trace.begin_s, color=colour, linewidth=0.9, linestyle=style)
            axis.plot(
                [at_s - trace.begin_s], [1.0], marker, color=colour, transform=axis.get_xaxis_transform(),
                clip_on=False, markersize=6, zorder=5, markeredgecolor="white", markeredgewidth=0.7,
            )  # fmt: skip


def _finish(axes: list["Axes"], arms: Mapping[str, Trace]) -> None:
    rate, failed, latency, *_ = axes
    last_s = max(trace.end_s - trace.begin_s for trace in arms.values())
    for axis in axes:
        if last_s > 0:
            axis.axvspan(0, last_s, color=SHADE, zorder=0)
        axis.axvline(0, color="black", linewidth=0.9)
    rate.set(title="Requests per second", ylim=(0, None))
    failed.set(title="Failed per second", ylim=(0, max(1.0, failed.get_ylim()[1])))
    latency.set(title="Latency, ms")
    plain_log(latency)
    axes[-1].set_xlabel("seconds since the fault began (grey: the fault)")
    first = min(trace.shown_s[0] - trace.begin_s for trace in arms.values())
    last = max(trace.shown_s[1] - trace.begin_s for trace in arms.values())
    axes[-1].set_xlim(first, max(last, first + 1.0))
    legend_above(rate)
    legend_above(latency)
    _legend_of_marks(failed, arms)


def _legend_of_marks(axis: "Axes", arms: Mapping[str, Trace]) -> None:
    from matplotlib.lines import Line2D

    happened = [kind for kind in MARKS if any(getattr(trace, f"{kind}_s") is not None for trace in arms.values())]
    looks = [(kind, *MARKS[kind]) for kind in happened]
    marks = [Line2D([], [], color=GREY, marker=m, linestyle=style, linewidth=0.9, label=k) for k, m, style in looks]
    if marks:
        legend_above(axis, handles=marks)
