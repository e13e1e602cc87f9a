"""Fixtures: instances that end with the test, a scripted registry, and a gateway in front of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.testing import Answer, Door, ScriptedDiscovery, Seen, Upstream, open_gateway


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    """Make instances: `upstream()` or `upstream(lambda seen: Answer(503))`."""
    with ExitStack() as stack:

        def make(answer: Callable[[Seen], Answer] = lambda seen: Answer()) -> Upstream:
            made = Upstream(answer)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def discovery() -> ScriptedDiscovery:
    return ScriptedDiscovery()


@pytest.fixture
def open_door(tmp_path: Path, discovery: ScriptedDiscovery) -> Iterator[Callable[..., Door]]:
    """Open the gateway once the registry's script is set: `open_door(CACHE_SECONDS="1")`."""
    with ExitStack() as stack:
        yield lambda **environ: stack.enter_context(open_gateway(tmp_path, discovery, **environ))
