"""What the containers have written, as the lines that `souk logs` prints."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from queue import Queue
from threading import Thread
from typing import Any

from deploy.compose import status
from deploy.compose.engine import Engine
from deploy.local.errors import Refused
from deploy.local.logs import Line, parse

LOOK_AGAIN_S = 1.0
TAIL = 15


def merged(engine: Engine, containers: Iterable[dict[str, Any]], keep: Callable[[str], bool] = bool) -> Iterator[Line]:
    """All lines of several containers that `keep` wants, in the order of their time."""
    found = heapq.merge(*(_read(engine, one, keep) for one in containers), key=lambda line: line.at)
    return (line for line in found if not line.is_noise)


def following(engine: Engine, containers: Callable[[], list[dict[str, Any]]]) -> Iterator[Line]:
    """New lines for ever, also of containers that appear."""
    lines: Queue[Line] = Queue()
    since = datetime.now().timestamp()  # noqa: DTZ005 # seconds since the epoch, in which zones have no part
    read: dict[str, Thread] = {}
    while True:
        for one in containers():
            thread = read.get(one["Id"])
            if one["State"]["Running"] and (thread is None or not thread.is_alive()):
                read[one["Id"]] = Thread(target=_pump, args=(engine, one, since, lines), daemon=True)
                read[one["Id"]].start()
        since = datetime.now().timestamp()  # noqa: DTZ005
        yield from _until(lines, LOOK_AGAIN_S)


def since(engine: Engine, container: str, when: float) -> list[bytes]:
    """All lines of a container since a time (seconds of the epoch), as they were written."""
    return [text.partition(" ")[2].encode() for text in _texts(engine.log(container, follow=False, since=when))]


def left_out_at(lines: Iterable[bytes], address: str) -> float | None:
    """When nginx got a configuration without this instance, by what the gateway has logged (seconds of the epoch)."""
    out = False
    for line in (parse(text.decode(errors="replace"), "gateway") for text in lines):
        out = out or line.fields.get("target") == address
        if out and line.fields.get("event") == "nginx reloads":
            return datetime.fromisoformat(line.at).timestamp()
    return None


def tail(engine: Engine, container: str, lines: int = TAIL) -> str:
    """The readable end of a container's log, indented."""
    pieces = [_line(text, "").text for text in _texts(engine.log(container, follow=False, tail=lines))]
    readable = "\n".join(pieces).splitlines()[-lines:]
    return "\n".join("    " + text for text in readable) or "    (it said nothing)"


def _pump(engine: Engine, container: dict[str, Any], since: float, into: "Queue[Line]") -> None:
    with suppress(Refused):  # it has gone, or the engine has
        for text in _texts(engine.log(container["Id"], follow=True, since=since)):
            line = _line(text, _source(container))
            if not line.is_noise:
                into.put(line)


def _until(lines: "Queue[Line]", seconds: float) -> Iterator[Line]:
    import time
    from queue import Empty

    deadline = time.monotonic() + seconds
    with suppress(Empty):
        while (left := deadline - time.monotonic()) > 0:
            yield lines.get(timeout=left)


def _read(engine: Engine, container: dict[str, Any], keep: Callable[[str], bool]) -> Iterator[Line]:
    source = _source(container)
    for text in _texts(engine.log(container["Id"], follow=False)):
        if keep(text):
            yield _line(text, source)


def _texts(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines; a long one comes in several pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _line(text: str, source: str) -> Line:
    """The engine's time stands in front; it counts where the line has none of its own."""
    at, _, said = text.partition(" ")
    line = parse(said, source)
    return line if line.at else Line(at[:26], line.source, line.fields)


def _source(container: dict[str, Any]) -> str:
    return f"{status.service_of(container)}-{status.number_of(container)}"
