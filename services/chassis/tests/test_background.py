"""Threads that work beside requests."""

import threading
import time

from chassis.background import Crew


def test_an_error_costs_one_item_and_no_thread():
    done, over = [], threading.Event()

    def work(item):
        if item == "bad":
            raise ZeroDivisionError
        done.append(item)
        over.set()

    crew = Crew("test", 1, work)
    crew.start()
    crew.give("bad")
    crew.give("good")
    assert over.wait(10)
    crew.stop()
    assert done == ["good"]


def test_what_is_under_way_is_finished_and_the_rest_is_left():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        go_on.wait(10)
        done.append(item)

    crew = Crew("test", 1, work)
    crew.start()
    for number in range(3):
        crew.give(number)
    assert begun.wait(10)
    stopping = threading.Thread(target=crew.stop)
    stopping.start()
    while crew.works or crew._items.qsize() != 1:  # what waited is gone; only the word to end is left
        time.sleep(0.01)
    go_on.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert done == [0]
