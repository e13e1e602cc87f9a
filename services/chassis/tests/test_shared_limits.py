"""Limits that replicas share in a real Redis, and what they do without it."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest
from flask import Flask
from prometheus_client import REGISTRY

from chassis.errors import TooManyRequests
from chassis.limits import SubjectLimits
from chassis.shared_limits import SharedLimits
from chassis.testing import eventually

SLOW = 0.001  # tokens a second: nothing comes back while a test runs
PATIENT_S = 20.0  # for tests in which Redis answers: a busy machine is no failure

REPLICA = """
import sys
from chassis.errors import TooManyRequests
from chassis.limits import SubjectLimits
from chassis.shared_limits import SharedLimits
url, subject, tries = sys.argv[1:]
shared = SharedLimits(url, "toy", 20)
shared.probe()
limits = SubjectLimits(0.001, True, burst=50, shared=shared)
print("ready", file=sys.stderr, flush=True)  # on standard output is the log
sys.stdin.readline()
taken = 0
for _ in range(int(tries)):
    try:
        limits.take(subject)
        taken += 1
    except TooManyRequests:
        pass
print(taken, file=sys.stderr)
"""


@pytest.fixture
def replica(redis):
    """Makes the shared limits of one more replica of a service."""
    made = []

    def make(url=None, service="toy", timeout_s=PATIENT_S, connected=True):
        made.append(SharedLimits(url or redis.url, service, timeout_s))
        if connected:
            made[-1].probe()
        return made[-1]

    yield make
    for shared in made:
        shared.stop()


class Chatterer:
    """Answers whoever connects with something else."""

    def __enter__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.close()

    def _run(self):
        connection, _ = self._server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def limits(shared, per_second=SLOW, burst=10, **options):
    return SubjectLimits(per_second, True, burst=burst, shared=shared, **options)


def taken(limit, subject, most=100):
    for count in range(most):
        try:
            limit.take(subject)
        except TooManyRequests:
            return count
    return most


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, {"service": "toy", **labels}) or 0.0


def timeouts():
    return counted("souk_redis_failures_total", asker="request", reason="timeout")


def test_processes_that_race_for_one_subject_get_its_limit_together(redis):
    words = [sys.executable, "-c", REPLICA, redis.url, "ada", "60"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        started = [stack.enter_context(subprocess.Popen(words, **pipes)) for _ in range(4)]
        for process in started:
            stack.callback(process.kill)
        assert [process.stderr.readline() for process in started] == ["ready\n"] * 4
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert sum(int(process.communicate(timeout=60)[1]) for process in started) == 50


def test_threads_of_one_replica_share_its_connection_and_get_the_limit_together(replica):
    limit = limits(replica(), burst=40)
    results = []
    threads = [threading.Thread(target=lambda: results.append(taken(limit, "ada"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 40


def test_replicas_share_what_one_subject_has_left_and_others_have_all_of_theirs(replica):
    one, other = limits(replica()), limits(replica())
    assert taken(one, "ada", 6) == 6
    assert taken(other, "ada") == 4
    assert (taken(other, "bob"), taken(one, "bob")) == (10, 0)


def test_services_and_kinds_of_limits_share_nothing(replica):
    shared = replica()
    assert taken(limits(shared), "ada") == 10
    assert taken(limits(shared, name="failures"), "ada") == 10
    assert taken(limits(replica(service="other")), "ada") == 10


def test_the_rate_comes_back_by_the_clock_of_redis(replica):
    limit = limits(replica(), per_second=100, burst=2)
    for _ in range(20):  # more than a burst: the rate has to come back
        eventually(lambda: taken(limit, "ada", 1))


def test_coming_again_when_told_to_is_let_through(replica):
    limit = limits(replica(), per_second=5, burst=1)
    limit.take("ada")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("ada")
    assert 0 < refused.value.retry_after <= 0.2
    time.sleep(refused.value.retry_after)
    limit.take("ada")


def test_what_one_replica_gives_back_another_may_take_and_it_leaves_nothing_behind(replica, redis):
    one, other = limits(replica(), burst=2), limits(replica(), burst=2)
    assert taken(one, "ada") == 2
    one.give_back("ada")
    assert taken(other, "ada") == 1
    for _ in range(3):  # one more than was taken: no more than a burst
        other.give_back("ada")
    with redis.client() as client:
        eventually(lambda: client.keys("souk:toy:requests:*") == [])
    assert taken(one, "ada") == 2


def test_a_key_lives_until_its_bucket_is_full_again_and_does_not_name_the_subject(replica, redis):
    limits(replica(), per_second=0.1).take("ada@souk.example")
    with redis.client() as client:
        (key,) = client.keys("souk:toy:requests:*")
        assert 0 < client.pttl(key) <= 10_000
    assert "ada" not in key
    limits(replica(), per_second=20).take("bob")  # full again after 50 ms
    with redis.client() as client:
        eventually(lambda: client.keys("souk:toy:requests:*") == [key])


def test_a_clock_of_redis_that_was_set_back_costs_one_empty_bucket_at_most(replica, redis):
    shared = replica()
    limits(shared, per_second=SLOW, burst=2).take("ada")  # its key is still there when we look
    with redis.client() as client:
        (key,) = client.keys("souk:toy:requests:*")
        client.set(key, time.time() + 3600)
    limit = limits(shared, per_second=20, burst=2)
    eventually(lambda: taken(limit, "ada", 1))


def test_without_redis_each_replica_limits_by_itself_and_says_so_once(replica, redis, capsys):
    redis.stop()
    one, other = replica(connected=False), replica(connected=False)
    before = counted("souk_limits_alone_total")
    for shared in (one, other):
        shared.probe()
        shared.probe()
    assert (taken(limits(one), "ada"), taken(limits(other), "ada")) == (10, 10)
    assert counted("souk_limits_alone_total") - before == 22
    assert capsys.readouterr().out.count("each replica limits by itself") == 2


def test_losing_redis_gives_nobody_a_new_burst_of_what_this_replica_has_given_already(replica, redis):
    shared = replica()
    limit = limits(shared)
    assert taken(limit, "ada", 8) == 8
    redis.stop()
    assert taken(limit, "ada") == 2
    assert not shared.answers


def test_what_was_refused_counts_for_nothing_after_redis_is_lost(replica, redis):
    limit = limits(replica())
    assert taken(limits(replica()), "ada") == 10
    for _ in range(5):
        assert taken(limit, "ada") == 0
    redis.stop()
    assert taken(limit, "ada") == 10


def test_a_redis_that_hangs_costs_one_time_out_whoever_asks_meanwhile(replica, redis):
    shared = replica(timeout_s=0.05)
    limit = limits(shared, per_second=1e6, burst=1e6)
    eventually(lambda: shared.answers or shared.probe())
    redis.hang()
    before = timeouts()
    threads = [threading.Thread(target=taken, args=(limit, "ada", 50)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timeouts() - before == 1
    shared.probe()
    assert (shared.answers, timeouts() - before) == (False, 1)
    redis.go_on()
    eventually(lambda: shared.answers or shared.probe())


def test_a_hung_redis_is_noticed_beside_the_requests_too(replica, redis):
    shared = replica(timeout_s=0.05)
    eventually(lambda: shared.answers or shared.probe())
    redis.hang()
    before = timeouts()
    shared.probe()
    assert taken(limits(shared), "ada") == 10
    assert timeouts() == before


def test_after_a_restart_limits_are_shared_again(replica, redis, capsys):
    one, other = replica(), replica()
    redis.stop()
    redis.start()
    for shared in (one, other):
        taken(limits(shared), "eve", 1)  # its connection is dead
        assert not shared.answers
        shared.probe()
    assert taken(limits(one), "ada") + taken(limits(other), "ada") == 10
    assert capsys.readouterr().out.count("limits are shared by all replicas") == 4


def test_forgotten_scripts_are_brought_again(replica, redis):
    shared = replica()
    with redis.client() as client:
        client.script_flush()
    taken(limits(shared), "eve", 1)
    shared.probe()
    assert taken(limits(shared), "ada", 4) == 4
    assert taken(limits(replica()), "ada") == 6


def test_a_redis_that_answers_but_does_not_write_is_away(replica, redis):
    shared = replica()
    with redis.client() as client:
        client.config_set("maxmemory", 1)
    assert taken(limits(shared), "ada") == 10
    shared.probe()
    assert not shared.answers
    with redis.client() as client:
        client.config_set("maxmemory", 0)
    shared.probe()
    assert shared.answers


def test_that_redis_does_not_write_is_noticed_beside_the_requests(replica, redis):
    shared = replica()
    with redis.client() as client:
        client.config_set("maxmemory", 1)
    shared.probe()
    assert not shared.answers


@pytest.mark.parametrize("given", ["wrong-password", ""])
def test_a_wrong_password_is_said_without_it_and_stops_nobody(replica, redis, capsys, given):
    shared = replica(url=f"redis://:{given}@127.0.0.1:{redis.port}/0")
    assert taken(limits(shared), "ada") == 10
    said = capsys.readouterr().out
    assert ("invalid username-password" if given else "Authentication required") in said
    assert "wrong-password" not in said


def test_something_that_is_no_redis_is_away(replica):
    with Chatterer() as other:
        shared = replica(url=f"redis://127.0.0.1:{other.port}/0", timeout_s=1)
        assert taken(limits(shared), "ada") == 10


def test_clients_on_loopback_are_not_limited_and_redis_is_not_asked(replica, redis):
    limit = SubjectLimits(SLOW, False, burst=3, shared=replica())
    with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert taken(limit, "ada", 20) == 20
    with redis.client() as client:
        assert client.keys("souk:toy:requests:*") == []
    with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": "203.0.113.9"}):
        assert taken(limit, "ada", 20) == 3


def test_zero_is_no_limit(replica):
    assert taken(limits(replica(), per_second=0), "ada", 500) == 500


def test_limits_are_shared_from_the_start_and_not_from_the_second_round_on(replica):
    shared = replica(connected=False)
    shared._prober.interval_s = 3600
    shared.start()
    eventually(lambda: shared.answers)


def test_the_prober_connects_and_finds_redis_again_by_itself(replica, redis):
    shared = replica(connected=False)
    shared._prober.interval_s = 0.05
    shared.start()
    eventually(lambda: shared.answers)
    redis.stop()
    eventually(lambda: not shared.answers)
    redis.start()
    eventually(lambda: shared.answers)
