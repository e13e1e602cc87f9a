"""The audit: does every promise about orders, money and stock hold, over all services' own books?

It reads the services' public APIs as an operator, the bank's, and the outboxes, and compares them. Services
settle by events, so a difference is at first only a suspicion: what is suspicious is read again until it is
gone, or the time is over.
"""

import time
from collections.abc import Callable

from loadtests.books import Books, CannotCheck, Source
from loadtests.rules import Finding, check

__all__ = ["Books", "CannotCheck", "Finding", "Source", "audit", "check"]


def audit(read: Callable[[], Books], within_s: float, pause_s: float = 1.0) -> tuple[Books, list[Finding]]:
    """Read and check until nothing is suspicious any more or `within_s` has passed.

    Only what was suspicious in every reading is a finding: new orders under way are nobody's fault. Raises
    CannotCheck.
    """
    deadline = time.monotonic() + within_s
    books = read()
    suspects = check(books)
    while suspects and time.monotonic() < deadline:
        time.sleep(pause_s)
        books = read()
        suspects = {finding for finding in check(books) if finding in suspects}
    return books, sorted(suspects)
