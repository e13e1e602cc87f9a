import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import extract_parameters

from accounts.passwords import Passwords
from chassis.deadline import set_deadline
from chassis.errors import DeadlinePassed, Unavailable
from chassis.testing import eventually


def cheap(at_once=1, threads=3):
    return Passwords(memory_kib=8, passes=1, at_once=at_once, threads=threads)


def test_only_the_right_password_matches():
    passwords = cheap()
    kept = passwords.hash("correct horse")
    assert passwords.matches(kept, "correct horse")
    assert not passwords.matches(kept, "wrong horse")
    assert not passwords.matches("not a hash", "correct horse")


def test_nobody_has_a_password_and_it_is_checked_with_the_same_effort():
    passwords = cheap()
    assert not passwords.matches(None, "the password of nobody")
    assert extract_parameters(passwords._nobodys) == extract_parameters(passwords.hash("somebody's"))


def test_a_hash_made_with_other_parameters_is_outdated():
    kept = cheap().hash("correct horse")
    assert not cheap().outdated(kept)
    assert Passwords(memory_kib=16, passes=1, at_once=1, threads=3).outdated(kept)


def test_more_than_some_may_wait_and_the_others_are_told_to_come_again():
    passwords = cheap(at_once=1, threads=4)  # one hashes, one waits, two threads stay free
    with ThreadPoolExecutor(1) as pool:
        with passwords._turn():
            waiting = pool.submit(passwords.hash, "correct horse")
            eventually(lambda: passwords._places._value == 0)
            with pytest.raises(Unavailable):
                passwords.hash("correct horse")
        assert waiting.result(timeout=20).startswith("$argon2id$")


def test_there_is_room_again_after_each_use_also_after_failures():
    passwords = cheap(at_once=1, threads=1)
    kept = passwords.hash("correct horse")
    assert [passwords.matches(kept, word) for word in ("a", "b", "correct horse")] == [False, False, True]


def test_whoever_waits_longer_than_the_deadline_is_told_so():
    passwords = cheap(at_once=1, threads=4)

    def hash_within_a_moment():
        set_deadline(20)
        passwords.hash("correct horse")

    with passwords._turn(), pytest.raises(DeadlinePassed):
        contextvars.Context().run(hash_within_a_moment)


def test_never_more_hash_at_once_than_allowed():
    passwords = cheap(at_once=2, threads=34)
    running, most, lock = [0], [0], threading.Lock()

    def work(_):
        with passwords._turn():
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            passwords._hasher.hash("correct horse")
            with lock:
                running[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))
    assert most[0] <= 2
