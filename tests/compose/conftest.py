"""One system of containers for all tests here. Where no engine answers they are skipped, with the reason."""

from collections.abc import Iterator

import pytest

from bench.containers import Containers, missing


@pytest.fixture(scope="session")
def fresh() -> Iterator[Containers]:
    if why := missing():
        pytest.skip(why)
    with Containers() as containers:
        yield containers


@pytest.fixture(scope="session")
def system(fresh: Containers) -> Containers:
    """Everything runs, and is healthy."""
    fresh.took_s = fresh.up()
    fresh.began_with = fresh.inspect()  # before any test breaks something
    return fresh


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long it took: a figure, since a busy machine would break a verdict; `python -m bench compose` judges."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
