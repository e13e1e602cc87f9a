"""«Add a service in 30 minutes» in CONTRIBUTING.md works as it stands: this test follows it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from bench.system import System

ROOT = Path(__file__).parents[1]
ENOUGH = ("registry", "gateway", "accounts", "wishlists")  # of the fleet, for the new service to be used
FILE = re.compile(r"^```(?:python|toml) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with the new service in it."""
    target = tmp_path_factory.mktemp("contributing") / "souk"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "results", "docs")
    shutil.copytree(ROOT, target, ignore=ignored)
    for name, text in FILE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as output:  # the fleet's table is added to, all others are new
            output.write(("\n" if file.stat().st_size else "") + text)
    return target


def paths(copy):
    return os.pathsep.join([str(copy), str(copy / "services")])


def run(copy, *command):
    env = {**os.environ, "PYTHONPATH": paths(copy)}
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, env=env, capture_output=True, text=True, check=False, timeout=110
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_page_has_every_file_of_a_service(copy):
    names = {path.name for path in (copy / "services" / "wishlists").iterdir()}
    assert {"__init__.py", "__main__.py", "app.py", "routes.py", "events.py", "usecases.py", "models.py"} <= names


def test_the_new_services_own_tests_pass(copy):
    assert "3 passed" in run(copy, "pytest", "-q", "-p", "no:cacheprovider", "services/wishlists")


def test_the_new_service_is_formatted_and_clean(copy):
    run(copy, "ruff", "check", "services/wishlists")
    run(copy, "ruff", "format", "--check", "services/wishlists")


@pytest.mark.system
def test_the_new_service_is_started_and_the_gateway_routes_to_it(copy, tmp_path):
    head, *services = re.split(r"(?m)^(?=\[\[service\]\]$)", (copy / "services" / "fleet.toml").read_text())
    chosen = [text for text in services if re.search(r'^name = "(.+)"', text, re.MULTILINE)[1] in ENOUGH]
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(head + "".join(chosen))
    with System(PYTHONPATH=paths(copy), FLEET_FILE=str(fleet), SERVICES_DIR=str(copy / "services")) as system:
        system.up()
        token = system.souk("token", "customer@souk.example").strip()
        url, headers = f"{system.gateway}/api/wishlists/mine/SOUK-000001", {"Authorization": f"Bearer {token}"}
        answer = requests.put(url, headers=headers, timeout=20)
        assert (answer.status_code, answer.json()) == (200, {"items": ["SOUK-000001"]})
        assert answer.headers["X-Served-By"].startswith("wishlists-")
