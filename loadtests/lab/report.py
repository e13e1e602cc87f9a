"""`report.html` of a results folder: one file that needs nothing else, to be read, printed and handed out.

It reads what is in the folder and says so where something is missing, so that an interrupted run has a report too. It
computes nothing: each figure stands in a file beside it.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.lab import inlined
from loadtests.lab.figures import bounds, figure, inputs, interval, percent, spell
from loadtests.lab.recovery import RULE
from loadtests.lab.statistics import BEYOND, samples_needed

NAME = "report.html"
FILES = {
    "prediction.json": "what was predicted, before the run",
    "summary.json": "verdict, arms, checks, faults and audit",
    "environment.json": "machine, versions, settings, seed, commit and command",
    "samples.csv.gz": "one row for each request",
    "series.csv.gz": "per second: CPU, replicas and the like",
    "events.csv": "what happened, and when",
    "plots": "the plots as SVG and PNG",
}
VERDICTS = {"pass": ("✓", "Passed"), "fail": ("✗", "Failed"), "inconclusive": ("?", "Inconclusive")}
MOST_EVENTS = 40


def write(folder: Path) -> Path:
    """Write the report of a results folder; its path. Raises OSError when the folder cannot be read or written."""
    page = render(folder)
    file = folder / NAME
    file.write_text(page, encoding="utf-8")
    return file


def render(folder: Path) -> str:
    """The page's text."""
    from jinja2 import ChainableUndefined, Environment, PackageLoader, select_autoescape

    jinja = Environment(
        loader=PackageLoader("loadtests.lab", "."), autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    jinja.filters |= {
        "figure": figure,
        "percent": percent,
        "interval": interval,
        "bounds": bounds,
        "spell": spell,
        "formula": inlined.formula,
    }
    return jinja.get_template("report.html.j2").render(**_content(folder))


def _content(folder: Path) -> dict[str, Any]:
    summary = {"verdict": "inconclusive", "why": "there is no summary.json", "title": folder.name, "question": ""}
    summary |= _read(folder / "summary.json", {})
    sign, word = VERDICTS.get(summary["verdict"], ("?", str(summary["verdict"])))
    return {
        "summary": summary,
        "verdict": {
            "sign": sign,
            "word": word,
            "kind": summary["verdict"] if summary["verdict"] in VERDICTS else "fail",
        },
        "predictions": predictions(folder),
        "plots": [_plot(folder, plot, number) for number, plot in enumerate(_listed(summary, "plots"))],
        "arms": _listed(summary, "arms"),
        "checks": _listed(summary, "checks"),
        "faults": _listed(summary, "faults"),
        "audit": summary.get("audit"),
        "environment": _read(folder / "environment.json", {}),
        "events": _events(folder / "events.csv"),
        "files": {name: words for name, words in FILES.items() if (folder / name).exists()},
        "folder": folder.name,
        "needed": {f"p{100 * share:g}": samples_needed(share) for share in (0.95, 0.99)},
        "beyond": BEYOND,
        "rule": RULE,
        "most_events": MOST_EVENTS,
    }


def predictions(folder: Path) -> list[dict[str, Any]]:
    """What was predicted, with every field that the page asks for. A list, or an object with `predictions`."""
    found = _read(folder / "prediction.json", [])
    rows = found.get("predictions", []) if isinstance(found, Mapping) else found
    made = found.get("made_at", "") if isinstance(found, Mapping) else ""
    fields = {"name": "", "formula": "", "tex": "", "value": None, "unit": "", "source": "", "made_at": made, "why": ""}
    return [fields | dict(row) | {"inputs": inputs(row.get("inputs"))} for row in rows]


def _plot(folder: Path, plot: Mapping[str, Any], number: int) -> dict[str, Any]:
    title = str(plot.get("title", ""))
    picture = inlined.svg(folder / str(plot.get("file", "")), f"plot{number}", title)
    return {"title": title, "caption": plot.get("caption", ""), "file": plot.get("file", ""), "picture": picture}


def _listed(summary: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return summary.get(name) or []


def _events(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return [
            {**{"arm": "", "repeat": "", "t_s": "", "kind": "", "what": ""}, **row} for row in csv.DictReader(lines)
        ]


def _read(file: Path, missing: Any) -> Any:
    """What a JSON file holds; `missing` where there is none, or it was cut off."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return missing
