"""In how many ways the tests of events, databases and faults run: the dimensions, their values, and which go together.

A whole-system test says by `@pytest.mark.dimensions("database", "events")` which dimensions concern it, and runs in as
many combinations as bring each two of their values together; with `--all-combinations` in every one. In the mark
`events="rabbitmq"` means: only where events go by RabbitMQ. A test of one service says `on_both_databases` or
`over_both_carriers`.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple, NoReturn, TypeVar

import pytest

T = TypeVar("T")

DIMENSIONS = {
    "database": ("sqlite", "postgresql"),
    "events": ("push", "rabbitmq"),
    "registry": ("souk", "consul"),
}


class Combination(NamedTuple):
    """One value of each dimension."""

    database: str
    events: str
    registry: str

    def __str__(self) -> str:
        return "-".join(self)


EVERY = [Combination(*values) for values in itertools.product(*DIMENSIONS.values())]
# Each two values meet in one of these: most mistakes need no more than two (Kuhn, Wallace and Gallo, "Software Fault
# Interactions and Implications for Software Testing", 2004). The first is what runs where nothing is set.
PAIRWISE = [
    Combination("sqlite", "push", "souk"),
    Combination("sqlite", "rabbitmq", "consul"),
    Combination("postgresql", "push", "consul"),
    Combination("postgresql", "rabbitmq", "souk"),
]


def meetings(combination: Combination, names: Sequence[str]) -> set[tuple[str, ...]]:
    """The pairs of values of these dimensions that meet in a combination; of one dimension, its value."""
    values = [getattr(combination, name) for name in names]
    return set(itertools.combinations(values, min(2, len(values))))


def having(combinations: Iterable[Combination], fixed: Mapping[str, str]) -> list[Combination]:
    """Those in which these dimensions have these values."""
    return [each for each in combinations if all(getattr(each, name) == value for name, value in fixed.items())]


def covering(names: Sequence[str], of: Iterable[Combination] = PAIRWISE) -> list[Combination]:
    """So few of these that each two values of these dimensions meet that meet in any. Without a name: the first."""
    chosen: list[Combination] = []
    met: set[tuple[str, ...]] = set()
    for combination in of:
        if not meetings(combination, names) <= met:
            chosen.append(combination)
            met |= meetings(combination, names)
    return chosen


def missing_server(name: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where REQUIRED_SERVERS (names, with spaces between) says that there must be one."""
    if name in os.environ.get("REQUIRED_SERVERS", "").split():
        pytest.fail(f"REQUIRED_SERVERS names {name}: {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def server_or_skip(name: str, make: Callable[[], AbstractContextManager[T]], none: type[Exception]) -> Iterator[T]:
    """The server that `make` starts or finds. Where it raises `none`, the test is skipped with what that says."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(make())
        except none as error:
            missing_server(name, str(error))
        yield server
