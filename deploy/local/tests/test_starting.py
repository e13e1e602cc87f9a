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


def test_a_service_that_the_gateway_does_not_reach_yet_is_waited_for(monkeypatch):
    class Service:
        def __init__(self, prefix):
            self.prefix = prefix

    class Started(System):
        class Fleet:
            services = {"gateway": Service(None), "carts": Service("/api/carts"), "storefront": Service("/")}

        class Settings:
            gateway_url = "http://gateway"

        fleet, settings = Fleet(), Settings()

    reached = {"http://gateway/api/carts/openapi.json": 503, "http://gateway/": 200}
    monkeypatch.setattr(starting, "collect", lambda _system, memory: [])
    monkeypatch.setattr(starting, "answers", lambda url, timeout_s: reached[url])
    assert starting._not_ready(Started())[0] == "carts-1"
    reached["http://gateway/api/carts/openapi.json"] = 200
    assert starting._not_ready(Started()) == (None, "")
