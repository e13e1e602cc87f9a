"""More and fewer replicas while the supervisor has much to do."""

import time

import pytest

from deploy.local import scaling
from deploy.local.client import Silent
from deploy.local.scaling import patiently


class System:
    """As much of a system as scaling needs. Its supervisor does not answer the first of every two questions."""

    class Settings:
        start_timeout_s = stop_timeout_s = 20.0

    settings = Settings()

    def __init__(self):
        self.names, self.asked = ["catalog-1"], 0

    def replicas(self):
        self.asked += 1
        if self.asked % 2:
            raise Silent("the supervisor (pid 1) does not answer")
        return [{"name": name, "deaths": 0} for name in self.names]

    def call(self, command, timeout_s, name):
        assert (command, timeout_s) == ("retire", scaling.COMMAND_S)
        self.names.remove(name)


def test_a_supervisor_that_is_too_busy_to_answer_is_asked_again(monkeypatch):
    monkeypatch.setattr(
        scaling, "collect", lambda system, memory: [r | {"health": "passing"} for r in system.replicas()]
    )
    system = System()
    scaling.wait_passing(system, ["catalog-1"], lambda _what: None)
    scaling.retire(system, ["catalog-1"], lambda _what: None)
    assert (system.names, system.asked) == ([], 6)


def test_one_that_never_answers_is_said():
    def silent():
        raise Silent("the supervisor (pid 1) does not answer")

    with pytest.raises(Silent):
        patiently(silent, time.monotonic() + 0.05)
