"""Waiting, in this process: who is woken, and what is left behind."""

import time

import gevent

from registry.blocking import Watches


def wait_on(watches, topic, seconds, moved=lambda: False):
    return gevent.spawn(watches.wait, topic, moved, seconds)


def test_a_change_wakes_those_alone_who_wait_for_its_topic():
    watches, indexes = Watches(), {"a": 1, "b": 1}
    waiting = {topic: wait_on(watches, topic, 30, lambda topic=topic: indexes[topic] > 1) for topic in indexes}
    gevent.sleep(0)
    indexes["a"] = 2
    watches.wake("a")

    waiting["a"].join(timeout=10)
    assert (waiting["a"].dead, waiting["b"].dead) == (True, False)
    waiting["b"].kill()


def test_a_wake_up_without_a_change_is_waited_through():
    watches = Watches()
    waiting = wait_on(watches, "a", 30)
    for _ in range(3):
        gevent.sleep(0)
        watches.wake("a")
    gevent.sleep(0.01)

    assert not waiting.dead
    waiting.kill()


def test_a_topic_is_forgotten_when_its_last_watcher_leaves():
    watches = Watches()
    waiting = [wait_on(watches, f"topic-{number % 10}", 0.01) for number in range(100)]
    gevent.sleep(0)
    assert len(watches) == 10
    gevent.joinall(waiting)
    assert len(watches) == 0


def test_a_watcher_that_is_killed_is_forgotten():
    watches = Watches()
    waiting = [wait_on(watches, "a", 30) for _ in range(2)]
    gevent.sleep(0)
    waiting[0].kill()
    assert len(watches) == 1
    waiting[1].kill()
    assert len(watches) == 0


def test_others_get_their_turn_while_many_watchers_are_answered():
    """A renewal must not wait until a thousand answers are written."""
    watches, indexes, answered = Watches(), {"a": 1}, []

    def watch():
        watches.wait("a", lambda: indexes["a"] > 1, 30)
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        answered.append("a watcher")

    waiting = [gevent.spawn(watch) for _ in range(200)]
    gevent.sleep(0)
    indexes["a"] = 2
    watches.wake("a")
    gevent.sleep(0.001)
    before = len(answered)
    gevent.joinall(waiting)

    assert before < len(answered) == 200
