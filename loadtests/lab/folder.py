"""The folder that a run leaves behind. `loadtests/README.md` describes each file; here they are written.

Samples are appended arm by arm, so that a run that is interrupted keeps all until then.
"""

import csv
import gzip
import json
import math
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.lab.columns import TYPES, Columns
from loadtests.lab.errors import CannotRun
from loadtests.lab.monitor import Row

SAMPLES, SERIES, EVENTS = "samples.csv.gz", "series.csv.gz", "events.csv"
SERIES_COLUMNS = ("arm", "repeat", "t_s", "subject", "metric", "value")
EVENT_COLUMNS = ("arm", "repeat", "t_s", "kind", "what")


class Folder:
    """One results folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()  # those who watch for an event note it from a thread of their own

    @classmethod
    def create(cls, results: Path, name: str) -> "Folder":
        """`<results>/<name>-<time>`; raises CannotRun when it cannot be written."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            results.mkdir(parents=True, exist_ok=True)
            path = _new(results, f"{name}-{stamp}")
            folder = cls(path)
            (path / "plots").mkdir()
            for file, columns in ((SAMPLES, tuple(TYPES)), (SERIES, SERIES_COLUMNS), (EVENTS, EVENT_COLUMNS)):
                folder._append(file, [columns])
        except OSError as error:
            raise CannotRun(f"cannot write results to {results} ({error.strerror}); give --results DIR") from None
        return folder

    def partial(self, arm: str, repeat: int) -> Path:
        """Where the generator writes while an arm runs."""
        return self.path / f".samples-{repeat}-{re.sub('[^A-Za-z0-9]+', '-', arm)}.csv"

    def add_samples(self, arm: str, repeat: int, began: float, partial: Path) -> Columns:
        """Append what the generator wrote, with times from the arm's beginning. A line that is cut is left out."""
        rows: list[list[Any]] = []
        if partial.exists():
            with partial.open(newline="") as file:
                lines = csv.DictReader(line for line in file if line.endswith("\n"))
                rows = [_sample(arm, repeat, began, line) for line in lines]
            self._append(SAMPLES, rows)
            partial.unlink()
        return Columns.of_rows(dict(zip(TYPES, row, strict=True)) for row in rows)

    def add_series(self, arm: str, repeat: int, began: float, rows: Iterable[Row]) -> None:
        self._append(
            SERIES, ((arm, repeat, f"{t - began:.3f}", subject, metric, f"{v:.5g}") for t, subject, metric, v in rows)
        )

    def add_event(self, arm: str, repeat: int, t_s: float, kind: str, what: str) -> None:
        self._append(EVENTS, [(arm, repeat, f"{t_s:.3f}", kind, what)])

    def write(self, name: str, document: Any) -> None:
        """A JSON document, whole or not at all. What is no number (nan, inf) becomes null."""
        file = self.path / name
        aside = file.with_name(f".{name}.new")
        aside.write_text(json.dumps(finite(document), indent=2, default=str, allow_nan=False) + "\n", encoding="utf-8")
        aside.replace(file)

    def _append(self, name: str, rows: Iterable[Iterable[Any]]) -> None:
        # Each arm is a gzip member of its own; together they are one file to every reader of gzip.
        opener = gzip.open if name.endswith(".gz") else open
        with self._lock, opener(self.path / name, "at", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(rows)


def finite(document: Any) -> Any:
    """The same with null for nan and inf, which JSON has no words for."""
    if isinstance(document, Mapping):
        return {str(key): finite(value) for key, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [finite(value) for value in document]
    if hasattr(document, "item"):  # a numpy scalar
        document = document.item()
    return None if isinstance(document, float) and not math.isfinite(document) else document


def _new(results: Path, name: str) -> Path:
    for number in range(1, 1000):
        path = results / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(17, "too many runs in one second", str(results))


def _sample(arm: str, repeat: int, began: float, row: Mapping[str, str]) -> list[Any]:
    due, sent, ended = (float(row[name]) for name in ("due", "sent", "ended"))
    times = [f"{t - began:.6f}" for t in (due, sent, ended)]
    spans = [f"{1000 * (ended - t):.3f}" for t in (due, sent)]
    return [
        arm, repeat, *times, *spans, row["step"], row["status"], row["ok"], row["error"], row["resent"], row["instance"]
    ]  # fmt: skip
