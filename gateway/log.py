"""One JSON object a line on standard output, with the field names that the services' logs have.

Not `chassis.telemetry`: what it needs would double the memory of this small process.
"""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime


def log(level: str, event: str, **fields: object) -> None:
    """Write one line."""
    line = {"event": event, **fields, "level": level, "timestamp": datetime.now(UTC).isoformat(), "service": "gateway"}
    with suppress(OSError):  # a disk that is full costs lines, and not the gateway
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()


class JsonLines(logging.Handler):
    """Libraries log by the standard library; their lines take the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        log(record.levelname.lower(), record.getMessage(), logger=record.name)
