"""The Markdown of a published run: the part of its page, and its row in the table of all."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.lab.experiment import Experiment
from loadtests.lab.figures import NONE, bounds, figure, interval, percent
from loadtests.lab.recovery import RULE
from loadtests.lab.report import VERDICTS

Check = Mapping[str, Any]
NOT_YET = f"{NONE} | {NONE} | not published yet"
INSTANCE = re.compile(r"\b([a-z]+)-(?:\d+\.){3}\d+-(\d+)\b")


@dataclass(frozen=True)
class Run:
    """A results folder, as far as a page speaks of it."""

    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    predictions: Sequence[Mapping[str, Any]]


def picture_name(name: str, plot: Mapping[str, Any]) -> str:
    """`plots/timeline.svg` of an experiment, among those of all others."""
    return f"{name}-{Path(plot['file']).name}"


def new_page(experiment: Experiment, begin: str, end: str) -> str:
    """A page to be written: what the experiment says of itself, and headings."""
    return _template("page.md.j2").render(experiment=experiment, begin=begin, end=end)


def run_part(run: Run) -> str:
    """What came of a run, and what it was made on."""
    summary = run.summary
    plots = [plot | {"picture": picture_name(summary["name"], plot)} for plot in summary["plots"]]
    part = _template("run.md.j2").render(
        summary=summary, environment=run.environment, predictions=run.predictions, plots=plots,
        verdict=VERDICTS[summary["verdict"]][1], rule=RULE, several=(summary.get("repeats") or 1) > 1,
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", part).strip()


def table_row(experiment: Experiment, found: str) -> str:
    """One line of the README's table. found: its last three cells, as `shortly` writes them."""
    return f"| [{experiment.name}]({experiment.name}.md) | {cell(experiment.question)} | {found} |"


def shortly(run: Run) -> str:
    """Prediction and result of the check that came off worst, how many were kept, and the verdict: three cells."""
    quick = ", a quick run" if run.summary.get("quick") else ""
    verdict = VERDICTS[run.summary["verdict"]][1].lower() + quick
    return " | ".join(cell(text) for text in (*_worst(run.summary["checks"]), verdict))


def _worst(checks: Sequence[Check]) -> tuple[str, str]:
    judged = [check for check in checks if not only_shown(check)]
    if not judged:
        return NONE, "nothing was checked"
    worst = max(judged, key=_strain)
    unit, error = worst.get("unit") or "", worst.get("error")
    bound = f"{bounds(worst.get('low'), worst.get('high'))} {unit}".strip()
    claim = bound if error is None else figure(worst.get("predicted"), unit)
    came = figure(worst.get("measured"), unit) + (f" ({percent(error)})" if error is not None else "")
    kept = sum(check.get("passed") is True for check in judged)
    return f"{worst.get('name')}: {claim}", f"{came}; {kept} of {len(judged)} checks kept"


def _strain(check: Check) -> tuple[int, float]:
    """How near a check came to its bound: first what was not kept, then predicted values, then mere bounds."""
    error, tolerance, measured, high = (_number(check.get(name)) for name in ("error", "tolerance", "measured", "high"))
    rank = {False: 4, None: 3}.get(check.get("passed"), 2 if error is not None else check.get("predicted") is not None)
    if error is not None:
        return rank, abs(error) / tolerance if tolerance else 0.0
    return rank, measured / high if measured is not None and high else 0.0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def only_shown(check: Check) -> bool:
    """Whether it stands there for comparison, and judges nothing."""
    return check.get("predicted") is not None and check.get("high") is None and check.get("low") is None


def said(check: Check) -> str:
    """The last cell of a check: whether it was kept, and what else is to be known."""
    if check.get("passed") is False:
        word = "**not kept**"
    else:
        word = "kept" if check.get("passed") else ("only shown" if only_shown(check) else "**cannot tell**")
    why = str(check.get("why") or "")
    in_the_table = check.get("error") is not None and not only_shown(check) and check.get("passed") is not None
    return word if in_the_table or why in ("", "as claimed") else f"{word}: {why}"


def cell(text: Any) -> str:
    """Words of a run in a table: nothing in them is Markdown, and an instance is named by its port."""
    text = INSTANCE.sub(r"\1 \2", re.sub(r"[ \t\r\n]+", " ", str(text)))
    return text.replace("|", r"\|").replace("<", "&lt;")


def gigabytes(size: Any) -> str:
    known = _number(size)
    return NONE if known is None else f"{known / 1e9:.0f} GB"


def share(value: Any) -> str:
    known = _number(value)
    return NONE if known is None else f"{100 * known:.0f}\N{NO-BREAK SPACE}%"


def _template(name: str) -> Any:
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    jinja = Environment(  # nosec B701 # it makes Markdown, no HTML
        loader=PackageLoader("loadtests.lab", "."), undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    jinja.filters |= {
        "figure": figure, "percent": percent, "interval": interval, "bounds": bounds, "said": said, "cell": cell,
        "gigabytes": gigabytes, "share": share,
    }  # fmt: skip
    return jinja.get_template(name)
