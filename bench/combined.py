"""A system with the servers that a combination of the tests' dimensions needs, each of them its own.

with combined(Combination("postgresql", "rabbitmq", "consul")) as system:
    system.up()
    system.away("database", 3)        # killed, and started again after 3 s
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from bench.system import System, eventually
from chassis.postgres_server import NoPostgres, create_database, own_postgres
from chassis.rabbitmq_server import NoRabbitMQ, own_broker
from chassis.testing_dimensions import Combination, server_or_skip
from registry.testing import NoConsul, Running, start_consul

KEEPERS = ("accounts", "bank", "carts", "catalog", "inventory", "notifications", "orders", "payments")


class Server(Protocol):
    """What a system depends on and does not start itself."""

    def kill(self) -> None:
        """Gone at once, like its machine."""

    def start(self) -> None:
        """Serves again, where it served before it was killed."""


class OwnConsul:
    """A Consul in memory: started again it is empty, and everybody has to register anew."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: Running | None = start_consul(home)
        self.port = self._running.port

    def start(self) -> None:
        self._running = start_consul(self._home, self.port)

    def kill(self) -> None:
        if self._running is not None:
            self._running.process.kill()
            self._running.stop()
            self._running = None


class Combined(System):
    """A system in one combination. servers: the "database", the "broker" and the "registry" that are not of its own."""

    def __init__(self, combination: Combination, servers: dict[str, Server], **settings: str) -> None:
        super().__init__(**settings)
        self.combination, self.servers = combination, servers

    def crash(self) -> None:
        """Kill everything at once, the servers too; these serve again when it returns."""
        super().crash()
        for server in self.servers.values():
            server.kill()
        for server in self.servers.values():
            server.start()

    def away(self, part: str, seconds: float) -> None:
        """Kill the registry, the database's server or the broker; return when it serves again after so long."""
        if part not in self.servers:
            self.souk("kill", part, "--signal", "KILL", "--for", str(seconds))
            eventually(self.registry_answers)
            return
        self.servers[part].kill()
        time.sleep(seconds)
        self.servers[part].start()

    def registry_answers(self) -> bool:
        try:
            return self.registered("nobody") == {}
        except OSError:  # requests' errors are some of them
            return False

    def database_url(self, service: str) -> str:
        """The address of a service's database, for tests that look or write into it."""
        return self.env.get(f"{service.upper()}__DATABASE_URL", f"sqlite:///{self.home}/data/{service}.db")

    def has(self, **counts: int) -> None:
        """So many healthy replicas of each of these services, and the registry lists no others."""
        wrong = {name: count for name, count in counts.items() if len(self.registered(name)) != count}
        if wrong:
            self.scale(**wrong)
        for name, count in counts.items():
            eventually(lambda name=name, count=count: len(self.registered(name)) == count, lambda name=name: name)


@contextmanager
def combined(combination: Combination, **settings: str) -> Iterator[Combined]:
    """The system, not yet up. Skips the test where a server that it needs is not installed."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        if combination.database == "postgresql":
            postgres = stack.enter_context(server_or_skip("PostgreSQL", own_postgres, NoPostgres))
            for name in KEEPERS:
                settings[f"{name.upper()}__DATABASE_URL"] = create_database(postgres.url)
            servers["database"] = postgres
        if combination.events == "rabbitmq":
            broker = stack.enter_context(server_or_skip("RabbitMQ", own_broker, NoRabbitMQ))
            settings["EVENTS_URL"], servers["broker"] = broker.url, broker
        if combination.registry == "consul":
            consul = stack.enter_context(server_or_skip("Consul", _own_consul, NoConsul))
            settings["DISCOVERY_URL"], servers["registry"] = f"consul://127.0.0.1:{consul.port}", consul
        yield stack.enter_context(Combined(combination, servers, **settings))


@contextmanager
def _own_consul() -> Iterator[OwnConsul]:
    with tempfile.TemporaryDirectory(prefix="souk-consul-") as folder:
        consul = OwnConsul(Path(folder))
        try:
            yield consul
        finally:
            consul.kill()
