"""Which request this work belongs to: the trace context of W3C (https://www.w3.org/TR/trace-context/).

`traceparent` is `00-<trace id>-<span id>-<flags>`. A trace is one customer's request through all services and
events; a span is one step of it.
"""

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass, replace

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    trace_id: str
    span_id: str
    flags: int = _SAMPLED

    def child(self) -> "TraceContext":
        """A new step of the same trace."""
        return replace(self, span_id=_new_id(8))

    def header(self) -> str:
        """`traceparent` for a call that this work makes: the same trace, a new span."""
        return f"00-{self.trace_id}-{_new_id(8)}-{self.flags:02x}"


current_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def new_trace() -> TraceContext:
    return TraceContext(_new_id(16), _new_id(8))


def parse_traceparent(text: str) -> TraceContext | None:
    """What the caller sent, or None if it is not valid, and then a new trace begins.

    A later version than 00 may have more fields behind; its first four mean the same. Flags that version 00
    does not know are not passed on.
    """
    match = _TRACEPARENT.fullmatch(text.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest):
        return None
    if int(trace_id, 16) == 0 or int(span_id, 16) == 0:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & _SAMPLED)


def _new_id(size: int) -> str:
    """All zeros is the one invalid id. It is no secret: whoever guesses one can do nothing with it."""
    return f"{random.randrange(1, 1 << 8 * size):0{2 * size}x}"
