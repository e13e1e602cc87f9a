"""The samples of a run as columns: one numpy array for each, all of the same length, one place for each request."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
TYPES = {
    "arm": str, "repeat": int, "scheduled_s": float, "started_s": float, "ended_s": float, "latency_ms": float,
    "response_ms": float, "step": str, "status": int, "ok": int, "error": str, "resent": int, "instance": str,
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Seconds count from the arm's start. ok: bool. resent: how often it was sent again. instance: who served it."""

    arm: NDArray[np.str_]
    repeat: NDArray[np.int64]
    scheduled_s: NDArray[np.float64]
    started_s: NDArray[np.float64]
    ended_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    response_ms: NDArray[np.float64]
    step: NDArray[np.str_]
    status: NDArray[np.int64]
    ok: Mask
    error: NDArray[np.str_]
    resent: NDArray[np.int64]
    instance: NDArray[np.str_]

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, str]]) -> Self:
        """From rows as `csv.DictReader` gives them. Raises KeyError, ValueError."""
        texts: dict[str, list[str]] = {name: [] for name in TYPES}
        for row in rows:
            for name, values in texts.items():
                values.append(row[name])
        arrays = {name: np.array(texts[name], dtype=kind) for name, kind in TYPES.items()}
        return cls(**(arrays | {"ok": arrays["ok"].astype(bool)}))

    @classmethod
    def read(cls, file: Path) -> Self:
        """From `samples.csv.gz`; what was cut off by an interruption is left out."""
        with gzip.open(file, "rt", newline="") as lines:
            return cls.of_rows(row for row in _until_cut(csv.DictReader(lines)) if None not in row.values())

    def where(self, mask: Mask) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    def of(self, arm: str | None = None, repeat: int | None = None, step: str | None = None) -> Self:
        """Those of an arm, a repeat, a step; None: of all."""
        mask = np.ones(len(self), bool)
        for column, wanted in ((self.arm, arm), (self.repeat, repeat), (self.step, step)):
            if wanted is not None:
                mask &= column == wanted
        return self.where(mask)

    def between(self, begin_s: float, end_s: float) -> Self:
        """Those that were due in this span."""
        return self.where((self.scheduled_s >= begin_s) & (self.scheduled_s < end_s))

    def __len__(self) -> int:
        return int(self.ok.size)


def _until_cut(rows: Iterable[dict[str, str]]) -> Iterable[dict[str, str]]:
    try:
        yield from rows
    except EOFError:
        return
