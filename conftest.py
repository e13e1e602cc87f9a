"""What all tests share: whole systems stay on one worker."""

import pytest
from _pytest import nodes


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a group of `xdist_group` on one worker, so that the system is started once.

    pytest-xdist 3.8 notes the group in a field of the item that pytest 9.2 has renamed, and so loses it.
    """
    for item in items if getattr(config.option, "loadgroup", False) else ():
        group = item.get_closest_marker("xdist_group")
        if group and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = nodes.coerce_node_id(f"{item.nodeid}@{group.args[0]}")
