"""What an open-loop run leaves behind: one sample for each request, and what a span of time says."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. Times are seconds of this machine's monotonic clock, the same for all of its processes.

    scheduled: when it was due; latency counts from here. status: 0 where no answer came, and `error` says why.
    repeats: 1 if its kept connection was closed before a byte of an answer, and it was sent once more.
    """

    scheduled: float
    started: float
    ended: float
    step: str
    status: int
    error: str = ""
    repeats: int = 0
    instance: str = ""
    retry_after: str = ""
    location: str = ""

    @property
    def latency_s(self) -> float:
        """From the scheduled time, so that a wait before the sending counts (no coordinated omission)."""
        return self.ended - self.scheduled

    @property
    def ok(self) -> bool:
        return not self.error and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Turned away as agreed: 429 or 503, with the time to come again."""
        return not self.error and self.status in (429, 503) and self.retry_after.isdecimal()

    def as_line(self) -> str:
        return json.dumps(asdict(self))


class Samples:
    """A list of samples with what one asks of it."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.all: Sequence[Sample] = list(samples)

    @classmethod
    def read(cls, path: Path) -> "Samples":
        """From a file with a JSON object on each line; a last line that is cut off is left out."""
        lines = path.read_text().splitlines(keepends=True)
        return cls(Sample(**json.loads(line)) for line in lines if line.endswith("\n"))

    def between(self, begin: float, end: float) -> "Samples":
        """Those that were due in this span."""
        return Samples(s for s in self.all if begin <= s.scheduled < end)

    def of(self, *steps: str) -> "Samples":
        return Samples(s for s in self.all if s.step in steps)

    @property
    def ok(self) -> "Samples":
        return Samples(s for s in self.all if s.ok)

    @property
    def failed(self) -> "Samples":
        return Samples(s for s in self.all if not s.ok)

    @property
    def repeats(self) -> int:
        return sum(s.repeats for s in self.all)

    def percentile_s(self, share: float) -> float:
        """Latency that this share of the samples does not exceed; nan without samples."""
        return percentile([s.latency_s for s in self.all], share) if self.all else math.nan

    def lateness_s(self, share: float) -> float:
        """How late the generator itself began; large values mean that it was the limit."""
        return percentile([s.started - s.scheduled for s in self.all], share) if self.all else math.nan

    def reasons(self) -> Counter[str]:
        """Why requests failed: step, status and error."""
        return Counter(f"{s.step}: {s.status or ''} {s.error}".strip() for s in self.failed.all)

    def __len__(self) -> int:
        return len(self.all)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
