"""Who used the processor: a bar for each subject, in parts where they are known."""

from collections.abc import Mapping
from pathlib import Path

from loadtests.lab.figures import figure as number
from loadtests.lab.plots.instances import HATCHES
from loadtests.lab.plots.style import COLOURS, figure, legend_below, save

FEWEST = 0.01  # subjects that use less than this share of the largest are left out, and counted


def cpu_bars(
    used: Mapping[str, Mapping[str, float]], folder: Path, name: str, title: str, unit: str = "cores", caption: str = ""
) -> dict[str, str]:
    """Write the plot and return its row for summary.json. used: subject -> part (a step, an arm) -> amount, stacked."""
    totals = {subject: sum(parts.values()) for subject, parts in used.items()}
    largest = max(totals.values(), default=0.0)
    # barh draws from below, so the largest comes last.
    subjects = sorted((s for s in used if totals[s] > 0 and totals[s] >= FEWEST * largest), key=totals.__getitem__)
    parts = list(dict.fromkeys(part for subject in used for part in used[subject]))
    looks = {part: (COLOURS[n % len(COLOURS)], HATCHES[n % len(HATCHES)]) for n, part in enumerate(parts)}
    with figure(1, 1.5 + 0.32 * max(2, len(subjects))) as (made, (axis,)):
        ends = dict.fromkeys(subjects, 0.0)
        for part, (colour, hatch) in looks.items():
            sizes = [used[subject].get(part, 0.0) for subject in subjects]
            axis.barh(
                [s.removeprefix("service:") for s in subjects], sizes, left=list(ends.values()), label=part,
                height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5,
            )  # fmt: skip
            ends = {subject: ends[subject] + size for subject, size in zip(subjects, sizes, strict=True)}
        for row, subject in enumerate(subjects):
            axis.annotate(number(totals[subject]), (totals[subject], row), xytext=(4, 0), textcoords="offset points",
                          va="center", fontsize=9)  # fmt: skip
        axis.grid(visible=False, axis="y")
        axis.set(title=title, xlabel=unit, xlim=(0, 1.12 * largest or 1))
        if len(parts) > 1:
            legend_below(made, axis, columns=3)
        left_out = len(used) - len(subjects)
        said = f"{left_out} that used next to nothing are left out." if left_out else ""
        return save(made, folder, name, title, f"{caption} {said}".strip())
