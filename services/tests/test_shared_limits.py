"""Replicas that share their limits, as real processes on a real Redis that is hung, killed and started again."""

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import partial
from itertools import cycle

import pytest
import requests

from chassis.testing import SERVICE_KEY, as_user, eventually, key_set

TOY = """
from chassis.identity import requires
from chassis.serve import serve
from chassis.tests.toy import Settings, routes
routes.get("/mine")(requires()(lambda: {"mine": True}))
serve("chassis.tests.toy:create_app", Settings.load())
"""
SHARED, ALONE = "limits are shared by all replicas", "each replica limits by itself"


class Replica:
    """A toy service as a process."""

    def __init__(self, process, log):
        self._process, self._log = process, log

    def said(self, text):
        return sum(text in line for line in self._log.read_text().splitlines())

    @property
    def shares(self):
        """Whether Redis answers it: it says so when that changes."""
        return self.said(SHARED) > self.said(ALONE)

    @property
    def url(self):
        """Where it serves, once it does."""
        found = re.search(r'"instance": "toy-([\d.]+)-(\d+)", "pid"', self._log.read_text())
        return f"http://{found[1]}:{found[2]}" if found else None

    def ask(self, subject):
        return requests.get(f"{self.url}/api/toy/mine", headers=as_user(subject), timeout=30).status_code

    def counted(self, name, *labels):
        """The sum of this metric's samples that have these labels."""
        lines = requests.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        found = [line for line in lines if line.startswith(name + "{") and all(label in line for label in labels)]
        return sum(float(line.rpartition(" ")[2]) for line in found)


def has_more_than(found, count):
    return len(found) > count


@pytest.fixture
def start(tmp_path, redis):
    """Starts one more replica of the toy."""
    home, count = tmp_path / "home", iter(range(9))
    for name, text in {"keys/service.keys": SERVICE_KEY, "cache/jwks.json": json.dumps(key_set())}.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(text)
    nobody = tmp_path / "nobody.toml"
    nobody.write_text("[services]\n")
    common = {"SOUK_HOME": str(home), "DISCOVERY_URL": f"static://{nobody}", "REDIS_URL": redis.url, "DRAIN_S": "0"}
    with ExitStack() as stack:

        def start_one(**environment):
            log = tmp_path / f"toy-{next(count)}.log"
            output = stack.enter_context(log.open("wb"))
            env = os.environ | common | {"RATE_LIMIT_LOOPBACK": "true"} | environment
            command = [sys.executable, "-c", TOY]
            process = stack.enter_context(subprocess.Popen(command, env=env, stdout=output, stderr=output))
            stack.callback(process.terminate)
            replica = Replica(process, log)
            eventually(lambda: replica.url or process.poll() is not None, 60)
            return replica

        yield start_one


def test_replicas_give_a_user_one_limit_together_alone_without_redis_and_together_again(start, redis):
    settings = {"RATE_LIMIT_PER_S": "0.001", "REDIS_TIMEOUT_MS": "20000"}  # one request, then none for long
    one, other = start(**settings), start(**settings)
    eventually(lambda: one.said(SHARED) == other.said(SHARED) == 1)
    assert (one.ask("ada"), other.ask("ada")) == (200, 429)
    assert (other.ask("bob"), one.ask("bob")) == (200, 429)
    redis.stop()
    assert (one.ask("eve"), other.ask("eve")) == (200, 200)
    assert (one.ask("eve"), other.ask("eve")) == (429, 429)
    redis.start()
    eventually(lambda: one.said(SHARED) == other.said(SHARED) == 2)
    assert (one.ask("zoe"), other.ask("zoe")) == (200, 429)


def test_a_redis_that_is_away_at_the_start_is_said_once_and_the_service_serves(start, redis):
    redis.stop()
    replica = start()
    assert replica.ask("ada") == 200
    eventually(lambda: replica.counted("souk_redis_failures_total", 'asker="probe"') >= 3)
    assert (replica.said(ALONE), replica.said(SHARED)) == (1, 0)


def test_under_load_a_redis_that_hangs_dies_and_comes_back_fails_nobody_and_delays_one_request_each_time(start, redis):
    replicas = [start(RATE_LIMIT_PER_S="100000") for _ in range(2)]
    eventually(lambda: all(replica.shares for replica in replicas))
    answers, over = [], threading.Event()

    def load():
        for replica in cycle(replicas):
            if over.is_set():
                return
            answers.append(replica.ask("ada"))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for break_it, mend_it in [(redis.hang, redis.go_on), (redis.stop, redis.start)]:
            break_it()
            eventually(lambda: not any(replica.shares for replica in replicas))
            eventually(partial(has_more_than, answers, len(answers) + 100))
            mend_it()
            eventually(lambda: all(replica.shares for replica in replicas))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
    for replica in replicas:
        assert replica.counted("souk_redis_failures_total", 'asker="request"') <= replica.said(ALONE)
        assert replica.counted("souk_limits_alone_total") >= 50  # of the 200 that were asked while it was away
