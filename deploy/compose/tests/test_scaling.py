"""Replicas that do not come up: one refusal with their last words, and nothing of them is left."""

import pytest

from deploy.compose import scaling
from deploy.local.errors import Refused
from deploy.local.fleet import Fleet, Service


class Engine:
    def __init__(self):
        self.done = []

    def do(self, verb, container, **options):
        self.done.append((verb, container, options))

    def log(self, container, **_):
        yield b"2030-01-01T00:00:00.000000000Z no room at all\n"


class System:
    """Two of catalog; a third one is there as soon as compose was asked for it, and never passes."""

    def __init__(self, monkeypatch, health="starting"):
        self.engine, self.health, self.ids = Engine(), health, ["a", "b"]
        self.fleet = Fleet(
            [Service("catalog", False, 2, 8, True, None, ()), Service("bank", True, 1, 8, True, None, ())]
        )
        monkeypatch.setattr(scaling, "compose", self.compose)
        monkeypatch.setattr(scaling, "START_S", 0.05)
        monkeypatch.setattr(scaling, "POLL_S", 0.01)

    def compose(self, *words):
        self.asked = words
        self.ids.append("fresh")

    def containers(self, service):
        return [{"Id": id, "Name": f"/shop-{id}", "State": {"Running": True}, "Config": {"StopTimeout": 25}}
                for id in self.ids]  # fmt: skip

    def rows(self, memory):
        return [{"container": id, "name": f"shop-{id}", "health": self.health if id == "fresh" else "passing"}
                for id in self.ids]  # fmt: skip


def quiet(_what):
    pass


def test_one_that_does_not_come_up_is_taken_back(monkeypatch):
    system = System(monkeypatch)
    with pytest.raises(Refused, match=r"shop-fresh does not start(.|\n)*no room at all"):
        scaling.scale(system, {"catalog": 3}, quiet)
    assert "--scale" in system.asked and "catalog=3" in system.asked
    assert system.engine.done == [("remove_container", "fresh", {"force": True})]


def test_no_old_one_leaves_before_a_new_one_passes(monkeypatch):
    system = System(monkeypatch)
    with pytest.raises(Refused):
        scaling.restart(system, "catalog", quiet)
    assert [verb for verb, *_ in system.engine.done] == ["remove_container"]


def test_each_old_one_leaves_once_a_new_one_passes(monkeypatch):
    system = System(monkeypatch, health="passing")
    scaling.restart(system, "catalog", quiet)
    assert [(verb, id) for verb, id, _ in system.engine.done] == [
        ("stop", "a"), ("remove_container", "a"), ("stop", "b"), ("remove_container", "b"),
    ]  # fmt: skip


def test_what_is_single_is_restarted_and_has_its_time_to_leave(monkeypatch):
    system = System(monkeypatch)
    scaling.restart(system, "bank", quiet)
    assert system.engine.done[0] == ("restart", "a", {"timeout": 25})
