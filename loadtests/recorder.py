"""Every request that Locust reports, as a line of CSV in a file: nothing is kept in memory, however long it runs."""

import csv
import time
from collections.abc import Mapping
from typing import IO, Any

COLUMNS = ("due", "sent", "ended", "step", "status", "ok", "error", "resent", "instance")
LONGEST_ERROR = 160
LATE_BINS_MS = 10_000


class Recorder:
    """A listener for `environment.events.request`. Times are seconds of this machine's monotonic clock.

    due: when the request should have left, which is what latency counts from; sent: when it did.
    """

    def __init__(self, out: IO[str]) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self.count = 0
        self.late = Lateness()

    def note(
        self,
        *,
        name: str,
        response_time: float,
        context: Mapping[str, float],
        response: Any = None,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        sent = context.get("sent") or time.monotonic() - response_time / 1000
        due = context.get("due", sent)
        status = response.status_code if response is not None else 0
        headers = response.headers if response is not None and response.headers else {}
        resent = getattr(response, "resent", getattr(exception, "resent", 0))
        row = (
            f"{due:.6f}", f"{sent:.6f}", f"{sent + response_time / 1000:.6f}", name, status, int(exception is None),
            _why(status, exception), resent, headers.get("X-Served-By", ""),
        )  # fmt: skip
        self._writer.writerow(row)
        self.count += 1
        if "due" in context:
            self.late.note(sent - due)


class Lateness:
    """How late requests left, in bins of a millisecond: as large after an hour as at the start."""

    def __init__(self) -> None:
        self._bins = [0] * (LATE_BINS_MS + 1)

    def note(self, seconds: float) -> None:
        self._bins[min(LATE_BINS_MS, max(0, int(seconds * 1000)))] += 1

    def percentile_ms(self, share: float) -> float:
        """The end of the bin below which this share lies; 0.0 without any."""
        left = share * sum(self._bins)
        for bin_ms, count in enumerate(self._bins):
            left -= count
            if left <= 0:
                return bin_ms + 1.0 if count else 0.0
        return float(LATE_BINS_MS)


def _why(status: int, exception: BaseException | None) -> str:
    if exception is None:
        return ""
    if status >= 400:
        return f"HTTP {status}"
    text = str(exception).replace("\n", " ")
    name = type(exception).__name__
    text = text if name in ("CatchResponseError", "RuntimeError") else f"{name}: {text}"
    return text[:LONGEST_ERROR]
