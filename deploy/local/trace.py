"""`souk trace ORDER`: what all services logged about one order, as one story."""

from deploy.local.errors import Refused
from deploy.local.logs import Line
from deploy.runtime import Runtime


def story(system: Runtime, order: str) -> list[tuple[int, Line]]:
    """(depth, line) for every line of the traces in which the order occurs, in the order of time.

    A service's depth is its place in the order of appearance, so that the story steps to the right as it is
    handed on. Raises Refused when no line mentions the order.
    """
    traces = {trace for line in system.lines_with(order) if (trace := line.fields.get("trace_id"))}
    if not traces:
        raise Refused(f"no log mentions {order!r}: look for the order's id with `souk logs orders`")
    depths: dict[str, int] = {}
    told = []
    for line in system.lines_with(*traces, order):
        if line.fields.get("trace_id") in traces or order in line.text:
            depth = depths.setdefault(line.source, len(depths))
            told.append((depth, line))
    return told
