"""Who uses the processor, container by container: `loadtests.lab.monitor.Monitor` with the engine's figures.

The engine tells each container's processor time about once a second, to whoever listens, on any host.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from deploy.compose.engine import Engine
from deploy.local.errors import Refused
from loadtests.lab.monitor import Monitor

# nginx and its watcher share a container.
SUBJECTS = {"gateway": "nginx", "registry": "registry"}
NOT_SERVICES = ("postgres", "rabbitmq", "redis", "consul")


class ContainerMonitor(Monitor):
    """Subjects beside those of `Monitor`: `postgres`, `rabbitmq` and `redis`; `nginx` is all of the gateway."""

    def __init__(self, engine: Engine, project: str, others: Mapping[str, int]) -> None:
        super().__init__(None, others)
        self._engine, self._project = engine, project
        self._listeners: dict[str, threading.Thread] = {}
        self._subject: dict[str, str] = {}
        self._total: dict[str, float] = {}  # container -> seconds of processor time
        self._counted: dict[str, float] = {}

    def _used(self) -> tuple[Counter[str], dict[str, set[int]]]:
        used, leaders = super()._used()
        with suppress(Refused):  # the engine is busy: what is missing now comes with the next look
            for id, service in self._engine.running(self._project):
                self._listen(id, service)
                if (subject := self._subject[id]).startswith("service:"):
                    leaders.setdefault(subject, set()).add(int(id[:12], 16))
        for id, total in list(self._total.items()):
            before = self._counted.get(id, total)
            # A container that was started again begins at 0.
            used[self._subject[id]] += total - before if total >= before else total
            self._counted[id] = total
        return used, leaders

    def _listen(self, id: str, service: str) -> None:
        if id in self._listeners and self._listeners[id].is_alive():
            return
        plain = service in NOT_SERVICES
        self._subject[id] = SUBJECTS.get(service, service if plain else f"service:{service}")
        self._listeners[id] = threading.Thread(target=self._hear, args=(id,), daemon=True)
        self._listeners[id].start()

    def _hear(self, id: str) -> None:
        with suppress(Refused):  # it has gone
            for seconds in self._engine.processor_times(id):
                self._total[id] = seconds
                if self._over.is_set():
                    return
