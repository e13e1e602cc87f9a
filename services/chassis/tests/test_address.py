"""The address that is registered is one by which the others reach the instance."""

import socket
from typing import ClassVar

import pytest

from chassis.address import reachable
from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "shop"


def settings(**values):
    return Settings.load({name.upper(): value for name, value in values.items()})


def test_an_address_of_its_own_is_the_one():
    assert reachable(settings(discovery_url="consul://127.0.0.1:8500"), "192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
def test_of_all_addresses_it_is_the_one_towards_the_registry(bound):
    assert reachable(settings(discovery_url="consul://127.0.0.9:8500"), bound) == "127.0.0.1"


def test_when_the_registry_has_no_address_now_the_database_shows_the_way(monkeypatch):
    asked = []
    connect = socket.socket.connect

    class Socket(socket.socket):
        def connect(self, address):
            asked.append(address[0])
            if address[0] == "registry.invalid":
                raise socket.gaierror("no such name")
            connect(self, ("127.0.0.1", address[1]))

    monkeypatch.setattr(socket, "socket", Socket)
    told = settings(discovery_url="consul://registry.invalid:8500", database_url="postgresql://a:b@postgres.invalid/a")
    assert reachable(told, "0.0.0.0") == "127.0.0.1"
    assert asked == ["registry.invalid", "postgres.invalid"]
