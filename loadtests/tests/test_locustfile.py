"""The locustfile under Locust's own command line: in one process, over several, and with a shape."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.tests.fake_shop import FakeShop

ROOT = Path(__file__).parents[2]


def locust(url, *words, **environment):
    command = [Path(sys.executable).with_name("locust"), "-f", "loadtests/locustfile.py", "--headless", "--host", url]
    return subprocess.run(
        [*command, "--only-summary", *words], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("processes", [(), ("--processes", "2")])
def test_shoppers_shop_in_one_process_and_over_several(processes):
    shop = FakeShop()
    with shop.served() as url:
        done = locust(url, "--users", "4", "--spawn-rate", "4", "--run-time", "3s", *processes)
    assert done.returncode == 0, done.stderr
    accounts = [body["email"] for _, path, body in shop.requests if path == "/api/accounts/users"]
    assert len(set(accounts)) == len(accounts) == 4
    assert any(path == "/api/orders" for _, path, _ in shop.requests)


def test_as_many_come_as_the_shape_says_and_its_last_point_is_the_end():
    shop = FakeShop()
    with shop.served() as url:
        done = locust(url, SOUK_SHAPE="0:1,1:1,1:5,3:5")
    assert done.returncode == 0, done.stderr
    assert sum(path == "/api/accounts/users" for _, path, _ in shop.requests) == 5
