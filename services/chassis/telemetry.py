"""Logs and metrics: one JSON object a line on standard output, Prometheus numbers at `/metrics`.

Every line that is written while a request or an event is handled carries its `trace_id`, so one order can be
followed through all services by one search.
"""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram

from chassis.imports import import_without
from chassis.trace import current_trace

if TYPE_CHECKING:
    from structlog.typing import EventDict


# structlog imports rich where it is installed, to colour stack traces. Our lines are JSON: 4 MB saved.
structlog = import_without("rich", "structlog")

REQUEST_SECONDS = Histogram(
    "souk_request_seconds",
    "Time to answer a request, by route",
    ["service", "method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SHED_REQUESTS = Counter("souk_shed_requests_total", "Requests refused because they had queued too long", ["service"])

log: Any = structlog.get_logger()


_encode = json.JSONEncoder(default=repr).encode  # made once, and not for each line


class _ToStructlog(logging.Handler):
    """Libraries log by the standard library; their lines take the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


class _Output:
    """Standard output as structlog wants it. A disk that is full costs lines, and not the request that logs them."""

    _gap = ""

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(self._gap + text)
            self._gap = ""
        except OSError:
            self._gap = "\n"  # half a line may stand there

    def flush(self) -> None:
        with suppress(OSError):
            sys.stdout.flush()


def configure_logging(service: str, level: str = "info") -> None:
    """Send all logs of this process to standard output as JSON lines. Call once, before the first line."""
    number = logging.getLevelNamesMapping()[level.upper()]

    def add_context(_logger: Any, _method: str, event: "EventDict") -> "EventDict":
        event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        event["service"] = service
        if (trace := current_trace.get()) is not None:
            event.setdefault("trace_id", trace.trace_id)
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            add_context,
            structlog.processors.format_exc_info,
            lambda _logger, _method, event: _encode(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=_Output()),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_ToStructlog()], force=True)
