"""One part of the system in containers after the other dies under a load of orders, and no promise is broken."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from bench.containers import Containers
from bench.customer import BUSY, Customer

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]

SOUK = Path(sys.executable).with_name("souk")
CUSTOMERS, PAUSE_S = 3, 0.15
BEFORE_S, AFTER_S = 1.0, 3.0
SHORT_S, LONG_S = 8.0, 30.0
PATIENCE_S = 90


class Load:
    """Customers who place an order after the other, under the same key until it is answered; all are kept."""

    def __init__(self, system: Containers) -> None:
        self._over = threading.Event()
        customers = [system.customer() for _ in range(CUSTOMERS)]
        self._threads = [threading.Thread(target=self._order, args=each) for each in enumerate(customers, 1)]
        self.placed: list[requests.Response] = []
        self.refused: list[requests.Response | requests.RequestException] = []
        self.longest_s = 0.0  # until an order was answered

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE_S
        while len(self.placed) <= CUSTOMERS:  # a load from the start, however slow the machine is
            if time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(f"there is no load: {self.refused}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _order(self, number: int, customer: Customer) -> None:
        while not self._over.wait(PAUSE_S):
            began = time.monotonic()
            try:
                answer = customer.insist({f"SOUK-{number:06}": 1})
            except requests.RequestException as error:
                self.refused.append(error)
                continue
            (self.placed if answer.status_code == 202 else self.refused).append(answer)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        customer.close()


def souk(system: Containers, *words: str) -> str:
    """What `souk ... --runtime compose` prints. Raises AssertionError when it fails."""
    environ = {**system.environ, "SOUK_RUNTIME": "compose"}
    done = subprocess.run([SOUK, *words], env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"souk {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_until_it_sells(system: Containers) -> None:
    """An order is taken and confirmed: everything that was broken is back."""
    deadline = time.monotonic() + PATIENCE_S
    while not sells(system):
        assert time.monotonic() < deadline, "it does not sell again"
        time.sleep(0.5)


def sells(system: Containers) -> bool:
    try:
        customer = system.customer()
        return customer.follow(customer.insist({"SOUK-000009": 1}))["state"] == "CONFIRMED"
    except (requests.RequestException, AssertionError):
        return False


def judge(system: Containers, load: Load, record: Callable[[str, str], None], what: str) -> None:
    """Every order that was taken ends, and the audit is clean."""
    customer: Customer = system.customer()
    states = Counter(customer.follow(placed)["state"] for placed in load.placed)
    assert states.keys() <= {"CONFIRMED", "CANCELLED"}
    assert "0 findings" in souk(system, "audit")
    ended = f"{states['CONFIRMED']} orders confirmed, {states['CANCELLED']} cancelled, {len(load.refused)} not taken"
    record(what, f"{ended}, the longest wait for an answer {load.longest_s:.1f} s; audit clean")


@pytest.mark.parametrize("service", ["orders", "rabbitmq", "postgres", "registry", "gateway"])
def test_one_that_is_killed_under_load_comes_back_and_the_books_agree(system, service, record_property):
    wait_until_it_sells(system)
    with Load(system) as load:
        time.sleep(BEFORE_S)
        assert "was killed, and started again" in souk(system, "kill", service)
        time.sleep(AFTER_S)
    wait_until_it_sells(system)
    judge(system, load, record_property, f"{service} is killed")


@pytest.mark.parametrize("seconds", [SHORT_S, pytest.param(LONG_S, marks=pytest.mark.slow)])
def test_orders_that_cannot_reach_the_broker_are_taken_and_end(system, seconds, record_property):
    wait_until_it_sells(system)
    with Load(system) as load:
        time.sleep(BEFORE_S)
        before = len(load.placed)
        souk(system, "partition", "orders", "--from", "rabbitmq", "--for", f"{seconds:g}")
        taken = len(load.placed) - before
        time.sleep(AFTER_S)
    assert not load.refused
    assert taken > CUSTOMERS, "orders are taken by orders alone"
    judge(system, load, record_property, f"orders cannot reach the broker for {seconds:g} s")


def test_everything_is_restarted_at_once_under_load(system, record_property):
    wait_until_it_sells(system)
    with Load(system) as load:
        time.sleep(BEFORE_S)
        system.docker("compose", "restart", "--timeout", "20")
        time.sleep(AFTER_S)
    wait_until_it_sells(system)
    judge(system, load, record_property, "everything is restarted at once")
    assert all(getattr(answer, "status_code", 503) in BUSY for answer in load.refused), load.refused


def test_one_that_is_paused_stands_still_and_goes_on(system):
    assert "stood still for 2 s" in souk(system, "kill", "payments", "--for", "2")
    wait_until_it_sells(system)


def test_a_process_that_dies_by_itself_is_brought_back_by_the_engine(system):
    (before,) = system.inspect("notifications")
    system.inside("notifications", "python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
    deadline = time.monotonic() + PATIENCE_S
    while (now := system.inspect("notifications")[0])["RestartCount"] == before["RestartCount"]:
        assert time.monotonic() < deadline, now["State"]
        time.sleep(0.2)


def test_more_replicas_then_fresh_ones_then_fewer(system):
    souk(system, "scale", "carts=2")
    old = set(system.ids("carts"))
    assert len(old) == 2
    souk(system, "restart", "carts")
    fresh = set(system.ids("carts"))
    assert len(fresh) == 2
    assert not fresh & old
    souk(system, "scale", "carts=1")
    assert len(system.ids("carts")) == 1


def test_the_logs_tell_the_story_of_an_order(system):
    customer = system.customer()
    order = customer.follow(customer.insist({"SOUK-000004": 1}))
    told = souk(system, "trace", order["id"])
    assert [name for name in ("orders", "inventory", "payments", "notifications") if name not in told] == []
