"""What the fault tests share.

In `make test` they run beside other tests, so that they judge what was answered and not how fast. `make test-faults`
gives them the machine alone, and `--latency` to judge that, too.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--latency", action="store_true", help="judge latency too: nothing else may run meanwhile")


@pytest.fixture(scope="session")
def judge_latency(request: pytest.FixtureRequest) -> bool:
    """Whether how long things took is part of the verdict."""
    return bool(request.config.getoption("--latency", default=False))
