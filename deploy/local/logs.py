"""Reads the JSON lines that the services log, and prints them for people."""

import heapq
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import TextIO

from deploy.local.home import Home

LEVELS = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}
SAID_ALREADY = {"timestamp", "level", "event", "service", "trace_id", "exception"}
FOLLOW_EVERY_S = 0.2
INDENT = " " * 13
TAIL_BYTES = 50_000


@dataclass(frozen=True, order=True)
class Line:
    """One line of a log. `at` is an ISO time in UTC, empty for a line that is no JSON."""

    at: str
    source: str
    fields: dict

    @property
    def is_noise(self) -> bool:
        """Whether it is only the supervisor's own asking."""
        return self.fields.get("path") == "/healthz"

    @property
    def text(self) -> str:
        """What happened, with all further fields."""
        more = " ".join(f"{k}={_short(v)}" for k, v in self.fields.items() if k not in SAID_ALREADY)
        text = f"{self.fields.get('event', '')} {more}".rstrip()
        if exception := self.fields.get("exception"):
            text += "\n" + indent(str(exception).rstrip(), INDENT)
        return text


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def parse(text: str, source: str) -> Line:
    """A line as it stands in a file. What is no JSON object, such as a traceback, is kept as it is."""
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return Line("", source, {"event": text.rstrip("\n")})
    return Line(str(fields.get("timestamp", "")), fields.get("service") or source, fields)


def log_files(home: Home, service: str | None = None) -> list[Path]:
    """The logs of all replicas there were, or of one service's."""
    if service is None:
        return sorted(home.logs.glob("*.log"))
    return sorted([*home.logs.glob(f"{service}-*.log"), *home.logs.glob(f"{service}.log")])


def lines(home: Home, service: str | None, following: bool) -> Iterator[Line]:
    """What `souk logs` prints: everything so far, or new lines for ever."""
    found = Follower(lambda: log_files(home, service)).forever() if following else merged(log_files(home, service))
    return (line for line in found if not line.is_noise)


def merged(files: Iterable[Path], keep: Callable[[str], bool] = bool) -> Iterator[Line]:
    """All lines of several files that `keep` wants, in the order of their time."""
    return heapq.merge(*(_read(file, keep) for file in files), key=lambda line: line.at)


def _read(file: Path, keep: Callable[[str], bool]) -> Iterator[Line]:
    last = ""
    with file.open(errors="replace") as lines:
        for text in filter(keep, lines):
            line = parse(text, file.stem)
            # A traceback belongs behind the line that it follows.
            last = max(last, line.at)
            yield line if line.at else Line(last, line.source, line.fields)


class Follower:
    """New lines of a changing set of files: what was there at first is skipped, a file that appears is read whole."""

    def __init__(self, files: Callable[[], list[Path]]) -> None:
        self.files = files
        self.opened: dict[Path, TextIO] = {}
        self.halves: dict[Path, str] = {}
        for file in files():
            self._open(file).seek(0, 2)

    def _open(self, file: Path) -> TextIO:
        self.opened[file] = file.open(errors="replace")
        return self.opened[file]

    def close(self) -> None:
        for handle in self.opened.values():
            handle.close()

    def fresh(self) -> list[Line]:
        """The lines that were completed since the last call, in the order of time."""
        found = []
        for file in self.files():
            handle = self.opened.get(file) or self._open(file)
            *whole, half = (self.halves.get(file, "") + handle.read()).split("\n")
            # A line that is still being written is kept until its end is there.
            self.halves[file] = half
            found += [parse(text, file.stem) for text in whole]
        return sorted(found, key=lambda line: line.at)

    def forever(self) -> Iterator[Line]:
        while True:
            lines = self.fresh()
            yield from lines
            if not lines:
                time.sleep(FOLLOW_EVERY_S)


def tail(log: Path, lines: int = 15) -> str:
    """The readable end of a log, indented."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return "    (no log)"
    readable = "\n".join(parse(line, "").text for line in text.splitlines())
    return "\n".join("    " + line for line in readable.splitlines()[-lines:]) or "    (it said nothing)"


class Printer:
    """Prints lines, in colour on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(soft_wrap=True, highlight=False)

    def line(self, line: Line, depth: int = 0) -> None:
        level = line.fields.get("level", "")
        text = f"{_clock(line.at):12} {'  ' * depth}{line.source:13} {line.text}"
        self.console.print(text, style=LEVELS.get(level), markup=False)


def _clock(at: str) -> str:
    """The time of day on this machine, to the millisecond."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:12]
    except ValueError:
        return ""
