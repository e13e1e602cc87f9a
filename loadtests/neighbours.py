"""Calls past the gateway, as services make them: an instance from the registry, picked by the caller.

The discovery, the strategies and the tokens are those of the chassis, so that what is measured is what services do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.balancing import make_strategy
from chassis.discovery import make_discovery
from chassis.load import Load
from chassis.service_tokens import ServiceTokens

ISSUER = "souk"


class Nobody(ConnectionError):
    """The registry knows no healthy instance."""


class Neighbours:
    """Other services' instances. registry: `http://host:port`; keys: the file that signs service tokens."""

    def __init__(self, registry: str, keys: Path, strategy: str, seed: int) -> None:
        self._discovery = make_discovery(registry.replace("http://", "consul://", 1))
        self._tokens = ServiceTokens(ISSUER, keys)
        self._load = Load()
        self._strategy = make_strategy(strategy, seed, self._load)

    @contextmanager
    def pick(self, service: str) -> Iterator[tuple[str, dict[str, str]]]:
        """The URL of one instance, and headers that let us in. The block is the request. Raises Nobody."""
        instance = self._strategy.pick(self._discovery.instances(service))
        if instance is None:
            raise Nobody(f"no instance of {service} is healthy")
        with self._load.counting(instance.id):
            yield instance.url, {"Authorization": f"Bearer {self._tokens.sign(service)}"}

    def close(self) -> None:
        self._discovery.close()
