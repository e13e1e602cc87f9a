"""What a run found, put into the documentation: a page in `docs/experiments`, its plots, and a row of the table of all.

Only what stands between two markers is written, so what people have written around it stays. All is read and made
before anything is written. Publishing the same run again changes nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from loadtests.lab import experiment as experiments
from loadtests.lab.errors import CannotRun
from loadtests.lab.published import NOT_YET, Run, new_page, picture_name, run_part, shortly, table_row
from loadtests.lab.report import VERDICTS, predictions

DOCS = Path(__file__).resolve().parents[2] / "docs" / "experiments"
BEGIN, END = "<!-- run -->", "<!-- /run -->"
HEAD = "| experiment | question | prediction | result | verdict |\n|---|---|---|---|---|"
NEW_README = f"# The experiments\n\n{BEGIN}\n{END}\n"
PICTURE = re.compile(r"\]\(img/([^)]+)\)")
ROW = re.compile(r"^\| \[[^\]]*\]\(([a-z0-9-]+)\.md\) \| .*? \| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """What a run has to say: its part of the page, its cells in the table, and its pictures (file name -> SVG)."""

    name: str
    part: str
    row: str
    pictures: Mapping[str, str]


def newest(results: Path) -> list[Path]:
    """The last folder of each experiment. Raises CannotRun when there is none."""
    found = [sorted(results.glob(f"{name}-[0-9]*T[0-9]*Z*/summary.json")) for name in experiments.names()]
    folders = [files[-1].parent for files in found if files]
    if not folders:
        raise CannotRun(f"there are no results in {results}; run an experiment first: souk experiment run NAME")
    return folders


def read(folder: Path) -> Page:
    """What a results folder is worth a page. Raises CannotRun when it is none, or broken."""
    summary = _json(folder / "summary.json")
    if not _is_summary(summary):
        raise CannotRun(f"{folder / 'summary.json'} is no summary of a run")
    name = summary["name"]
    if name not in experiments.names():
        raise CannotRun(f"{folder / 'summary.json'} is of {name!r}, and there is no such experiment")
    pictures = {picture_name(name, plot): slim(_text(folder / plot["file"])) for plot in summary["plots"]}
    try:
        run = Run(summary, _json(folder / "environment.json"), predictions(folder))
        return Page(name, run_part(run), shortly(run), pictures)
    except (TypeError, ValueError, AttributeError, TemplateError) as error:
        raise CannotRun(f"{folder} is broken: {error}") from None


def publish(folders: Iterable[Path], docs: Path = DOCS) -> list[Path]:
    """Write pages, plots and the table; the pages that were written. Raises CannotRun, with nothing written."""
    pages = {page.name: page for page in map(read, folders)}
    files: dict[Path, str] = {}
    stale: set[Path] = set()
    for page in pages.values():
        file = docs / f"{page.name}.md"
        before = _text(file) if file.exists() else new_page(experiments.load(page.name), BEGIN, END)
        files[file] = between(before, page.part, file)
        files |= {docs / "img" / name: picture for name, picture in page.pictures.items()}
        stale |= {docs / "img" / name for name in PICTURE.findall(before.partition(BEGIN)[2].partition(END)[0])}
    readme = docs / "README.md"
    before = _text(readme) if readme.exists() else NEW_README
    files[readme] = between(before, table(before, {page.name: page.row for page in pages.values()}), readme)
    (docs / "img").mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_text(content, encoding="utf-8")
    for file in stale - set(files):
        file.unlink(missing_ok=True)
    return [docs / f"{name}.md" for name in pages]


def table(before: str, rows: Mapping[str, str]) -> str:
    """The README's table with a row for each experiment; what others than these found stays as it was."""
    found = {match[1]: match[2] for match in ROW.finditer(before)} | dict(rows)
    return "\n".join([HEAD, *(table_row(one, found.get(one.name, NOT_YET)) for one in experiments.every())])


def between(text: str, part: str, file: Path) -> str:
    """The text with another part between its markers. Raises CannotRun when it has none."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise CannotRun(f"{file} has no {BEGIN} with {END} after it, so nobody knows where the run belongs")
    return f"{head}{BEGIN}\n{part}\n{END}{tail}"


def slim(picture: str) -> str:
    """The same picture in fewer bytes: hundredths of a point are enough, and nobody reads its metadata."""
    picture = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>]*>", "", picture, flags=re.DOTALL)
    picture = re.sub(r"(?<![\w#.])-?\d+\.\d{3,}(?![\w.])", _rounded, picture)
    return re.sub(r"\s*\n\s*", "\n", picture).strip() + "\n"


def _rounded(match: re.Match[str]) -> str:
    value = float(match[0])
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.6g}"  # what is less than 1 may be a scale


def _is_summary(found: Any) -> bool:
    lists = ("arms", "checks", "faults", "plots")
    return (
        isinstance(found, dict)
        and {"name", "why", "verdict", *lists} <= found.keys()
        and found["verdict"] in VERDICTS
        and all(isinstance(found[name], list) and all(isinstance(row, dict) for row in found[name]) for name in lists)
        and all(isinstance(plot.get("file"), str) for plot in found["plots"])
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"cannot read {file} ({error.strerror})") from None
    except ValueError:
        raise CannotRun(f"{file} is no text") from None


def _json(file: Path) -> Any:
    try:
        return json.loads(_text(file))
    except ValueError:
        raise CannotRun(f"{file} is broken: no JSON") from None
