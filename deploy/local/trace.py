"""`souk trace ORDER`: what all services logged about one order, as one story."""

from pathlib import Path

from deploy.local.errors import Refused
from deploy.local.home import Home
from deploy.local.logs import Line, log_files, merged


def story(home: Home, order: str) -> list[tuple[int, Line]]:
    """(depth, line) for every line of the traces in which the order occurs, in the order of time.

    A service's depth is its place in the order of appearance, so that the story steps to the right as it is
    handed on. Raises Refused when no line mentions the order.
    """
    files = log_files(home)
    traces = _traces_of(files, order)
    if not traces:
        raise Refused(f"no log mentions {order!r}: look for the order's id with `souk logs orders`")
    wanted = _grep(files, *traces, order)
    depths: dict[str, int] = {}
    told = []
    for line in wanted:
        if line.fields.get("trace_id") in traces or order in line.text:
            depth = depths.setdefault(line.source, len(depths))
            told.append((depth, line))
    return told


def _traces_of(files: list[Path], order: str) -> set[str]:
    return {trace for line in _grep(files, order) if (trace := line.fields.get("trace_id"))}


def _grep(files: list[Path], *words: str) -> list[Line]:
    """All lines that contain one of the words. Only these are parsed: logs may be long."""
    return list(merged(files, keep=lambda text: any(word in text for word in words)))
