"""Which networks are cut, and that they are whole again, whatever happens meanwhile."""

import pytest

from deploy.compose import partition
from deploy.local.errors import Refused


def container(service, number, *networks):
    id = f"{service}{number}".ljust(64, "0")
    ends = {name: {"Aliases": [f"{service}-{number}", service, id[:12]], "IPAddress": "x"} for name in networks}
    labels = {"com.docker.compose.service": service}
    return {"Id": id, "Config": {"Labels": labels}, "State": {"Running": True}, "NetworkSettings": {"Networks": ends}}


class Engine:
    def __init__(self):
        self.done = []

    def disconnect(self, container, network):
        self.done.append(("cut", container[:7], network))

    def connect(self, container, network, aliases):
        self.done.append(("join", container[:7], network, *aliases))


class System:
    def __init__(self, *containers):
        self.all, self.engine = containers, Engine()

    def containers(self, service):
        return [one for one in self.all if one["Config"]["Labels"]["com.docker.compose.service"] == service]


@pytest.fixture
def system():
    return System(
        container("orders", 1, "internal", "events"), container("orders", 2, "internal", "events"),
        container("rabbit", 1, "events"), container("postgres", 1, "internal"), container("registry", 1, "internal"),
        container("loner", 1, "elsewhere"),
    )  # fmt: skip


def quiet(_what):
    pass


def test_every_replica_leaves_what_it_shares_and_comes_back_under_its_names(system, monkeypatch):
    slept = []
    monkeypatch.setattr(partition.time, "sleep", lambda s: slept.append((s, len(system.engine.done))))
    assert partition.partition(system, "orders", "rabbit", 30, quiet) == "2 of orders could not reach rabbit for 30 s"
    assert slept == [(30, 2)]
    assert system.engine.done == [
        ("cut", "orders1", "events"), ("cut", "orders2", "events"),
        ("join", "orders1", "events", "orders-1", "orders"), ("join", "orders2", "events", "orders-2", "orders"),
    ]  # fmt: skip


def test_it_is_mended_when_somebody_interrupts(system, monkeypatch):
    def interrupted(_s):
        raise KeyboardInterrupt

    monkeypatch.setattr(partition.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        partition.partition(system, "orders", "rabbit", 30, quiet)
    assert [verb for verb, *_ in system.engine.done] == ["cut", "cut", "join", "join"]


def test_one_that_cannot_be_connected_again_keeps_no_other_from_it(system, monkeypatch):
    monkeypatch.setattr(partition.time, "sleep", quiet)
    connect = system.engine.connect

    def refused(container, network, aliases):
        connect(container, network, aliases)
        if container.startswith("orders1"):
            raise Refused("it is gone")

    system.engine.connect = refused
    with pytest.raises(Refused, match="it is gone"):
        partition.partition(system, "orders", "rabbit", 1, quiet)
    assert [verb for verb, *_ in system.engine.done] == ["cut", "cut", "join", "join"]


@pytest.mark.parametrize("other", ["postgres", "registry"])
def test_a_network_by_which_all_are_reached_is_not_cut(system, other):
    with pytest.raises(Refused, match=f"reaches everybody, not {other} alone"):
        partition.partition(system, "orders", other, 30, quiet)
    assert not system.engine.done


@pytest.mark.parametrize(
    ("service", "other", "why"),
    [("orders", "loner", "no network together"), ("none", "rabbit", "no container of none")],
)
def test_what_cannot_be_cut_is_refused(system, service, other, why):
    with pytest.raises(Refused, match=why):
        partition.partition(system, service, other, 30, quiet)
