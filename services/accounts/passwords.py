"""Passwords: argon2id (RFC 9106), and how much of it may happen at once.

A hash costs tens of milliseconds and tens of megabytes on purpose, so a crowd that signs in must not take all
threads and all memory: `at_once` hashes run, some more wait, and the rest are told to come again, while two
threads stay free for the key set and for those who have tokens.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from accounts.settings import Settings
from chassis import deadline
from chassis.errors import DeadlinePassed, Unavailable


class Passwords:
    """Hashes and checks. Thread-safe. Raises Unavailable when too many want it at once."""

    def __init__(self, memory_kib: int, passes: int, at_once: int, threads: int) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._places = threading.BoundedSemaphore(max(at_once, threads - 2))
        self._turns = threading.BoundedSemaphore(at_once)
        # What the password of nobody is checked against, so that it takes as long as anybody's.
        self._nobodys = self._hasher.hash("the password of nobody")

    def hash(self, password: str) -> str:
        with self._turn():
            return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether this is the password. Without a hash False, after the same time."""
        with self._turn():
            try:
                return self._hasher.verify(password_hash or self._nobodys, password) and password_hash is not None
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many people are signing in; try again")
        try:
            if not self._turns.acquire(timeout=deadline.remaining_s()):
                raise DeadlinePassed("the time for this request was over while others signed in")
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


def make_passwords(settings: Settings) -> Passwords:
    return Passwords(settings.argon2_memory_kib, settings.argon2_passes, settings.hashes_at_once, settings.threads)
