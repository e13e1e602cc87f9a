"""What all tests share: servers, and in which combinations whole systems run, and that they do so on one worker."""

import gc
import signal

import pytest
from _pytest import nodes

from chassis.testing_dimensions import EVERY, PAIRWISE, covering, having

# Named here and nowhere else: a fixture that two conftest.py import is two, each with a server of its own.
pytest_plugins = (
    "chassis.testing_fixtures", "chassis.testing_postgres", "chassis.testing_rabbitmq", "chassis.testing_redis"
)  # fmt: skip


def pytest_configure() -> None:
    """Ctrl-C means the same to all that is started here, also where a shell has put us in the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-combinations", action="store_true", help="of databases, events and registries, not pairs")
    parser.addoption("--latency", action="store_true", help="judge latency too: nothing else may run meanwhile")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a whole system once for each combination of the dimensions that concern it."""
    if "combination" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("dimensions")
        names, fixed = (marker.args, marker.kwargs) if marker else ((), {})
        whole_product = metafunc.config.getoption("all_combinations")
        chosen = having(EVERY, fixed) if marker and whole_product else covering(names, having(PAIRWISE, fixed))
        # The pairs run one after the other on one worker: two such systems at once fill two cores, and whoever is
        # slow then may be taken for one that hangs. In the whole product there is little else to run beside.
        values = [
            pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(str(each) if whole_product else "pairs"))
            for each in chosen
        ]
        metafunc.parametrize("combination", values, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a group of `xdist_group` on one worker, so that the system is started once.

    pytest-xdist 3.8 notes the group in a field of the item that pytest 9.2 has renamed, and so loses it.
    """
    for item in items if getattr(config.option, "loadgroup", False) else ():
        group = item.get_closest_marker("xdist_group")
        if group and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = nodes.coerce_node_id(f"{item.nodeid}@{group.args[0]}")


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking through it for garbage again and again costs a tenth of a run."""
    gc.collect()
    gc.freeze()
