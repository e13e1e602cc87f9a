"""`python -m loadtests` as its user meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.tests.fake_shop import FakeShop

ROOT = Path(__file__).parents[2]
# Locust wants everything patched before the first import; then an order need not settle for 45 s to fail.
IMPATIENT = """
from gevent import monkey; monkey.patch_all()
import runpy; from loadtests import journeys; journeys.SETTLE_S = 0.5
runpy.run_module("loadtests", run_name="__main__", alter_sys=True)
"""


def load(*options, program=("-m", "loadtests")):
    command = [sys.executable, *program, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_a_shop_that_serves_is_0_and_a_table():
    with FakeShop().served() as url:
        done = load("--host", url, "--users", "3", "--spawn-rate", "10", "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    for step in ("sign up", "list products", "place the order", "order settles"):
        assert step in done.stdout
    assert "0 failures" in done.stdout


def test_a_failed_request_is_1_and_is_named():
    with FakeShop(broken=["POST /api/orders"]).served() as url:
        done = load("--host", url, "--users", "3", "--spawn-rate", "10", "--seconds", "3")
    assert done.returncode == 1
    assert "x POST place the order" in done.stdout
    assert "0 orders settled" in done.stdout


def test_an_order_that_does_not_settle_is_1():
    with FakeShop(end="RESERVED").served() as url:
        options = ("--host", url, "--users", "3", "--spawn-rate", "10", "--seconds", "3")
        done = load(*options, program=("-c", IMPATIENT))
    assert done.returncode == 1
    assert "did not settle" in done.stdout
    assert "0 orders settled" in done.stdout


@pytest.mark.parametrize("why", ["nobody is there", "it is broken"])
def test_a_shop_that_does_not_answer_is_2_and_one_line(why):
    with FakeShop(broken=["GET /api/catalog/products"]).served() as url:
        if why == "it is broken":
            done = load("--host", url)
    if why == "nobody is there":
        done = load("--host", url)
    assert done.returncode == 2
    assert "make up" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_bad_usage_is_2():
    assert load("--users", "0").returncode == 2
    assert load("--seconds", "-1").returncode == 2
