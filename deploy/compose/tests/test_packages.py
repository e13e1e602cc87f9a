"""What the services and the gateway import is in the requirements that go into their images, in the versions of all."""

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from deploy.compose.commands import PROJECT

OURS = {folder.name for folder in (PROJECT / "services").iterdir() if folder.is_dir()} | {"gateway"}


def versions(file):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE))


def imported(folder):
    """The top-level packages that are imported anywhere below, but by tests and what is made for them."""
    found = set()
    for file in folder.rglob("*.py"):
        if "tests" in file.parts or file.name.startswith("testing") or file.name.endswith("_server.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - OURS - sys.stdlib_module_names


@pytest.mark.parametrize("folder", ["services", "gateway"])
def test_what_is_imported_is_in_the_image(folder):
    there = {re.sub("[-_.]+", "-", name).lower() for name in versions(PROJECT / folder / "requirements.txt")}
    known = packages_distributions()
    wanted = {
        name: {re.sub("[-_.]+", "-", one).lower() for one in known.get(name, [])} for name in imported(PROJECT / folder)
    }
    assert wanted
    assert not {name for name, distributions in wanted.items() if not distributions & there}


@pytest.mark.parametrize("folder", ["services", "gateway"])
def test_the_versions_in_the_images_are_those_that_are_tested(folder):
    all_of_them = versions(PROJECT / "requirements.txt")
    assert versions(PROJECT / folder / "requirements.txt").items() <= all_of_them.items()


def test_the_services_do_without_what_only_the_runner_and_the_laboratory_need():
    assert not versions(PROJECT / "services" / "requirements.txt").keys() & {
        "locust",
        "scipy",
        "numpy",
        "docker",
        "circus",
        "pyzmq",
    }
