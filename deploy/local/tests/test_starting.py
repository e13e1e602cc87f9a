"""Waiting for a system to come up."""

import pytest

from deploy.local import starting
from deploy.local.client import Silent
from deploy.local.errors import Refused


class System:
    """As much of a system as waiting needs."""

    class Settings:
        start_timeout_s = 20.0

    settings = Settings()


def test_a_supervisor_that_is_too_busy_to_answer_is_asked_again(monkeypatch):
    said = []

    def silent_at_first(_system):
        if not said:
            raise Silent("the supervisor (pid 1) does not answer")

    monkeypatch.setattr(starting, "_refuse_crash_loops", silent_at_first)
    monkeypatch.setattr(starting, "_not_ready", lambda _system: (None, ""))
    starting._wait(System(), said.append)
    assert said == ["the supervisor is busy"]


def test_a_crash_loop_ends_the_start(monkeypatch):
    def refuse(_system):
        raise Refused("apples-1 does not start")

    monkeypatch.setattr(starting, "_refuse_crash_loops", refuse)
    with pytest.raises(Refused, match="apples-1"):
        starting._wait(System(), print)
