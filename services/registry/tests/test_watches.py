"""Waiting, in this process: who is woken, and what is left behind."""

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
