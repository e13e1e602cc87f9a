"""Discovery without a registry: a file says who is there, and nobody says who is well.

Under the table `[services]` stands, for each name, a list: `catalog = ["127.0.0.1:4001", "127.0.0.1:4002"]`.
"""

import logging
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

from chassis.instance import Instance
from chassis.unregistered import Unregistered
from chassis.watched import Watched

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2


class StaticDiscovery(Unregistered):
    """Reads the file again when it changes; one that cannot be read leaves what was known in use.

    Raises ValueError when the file cannot be read at the start.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._stamp = _stamp(file)
        self._services = _read(file)
        self._listeners: dict[str, Watched[list[Instance]]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def instances(self, name: str, wait_s: float = 0.0) -> list[Instance]:  # noqa: ARG002  # never waits
        self._look()
        return self._services.get(name, [])

    def watch(self, name: str, on_change: Callable[[list[Instance]], None]) -> None:
        with self._lock:
            watched = self._listeners.setdefault(name, Watched(0.0))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"watch {self._file}", daemon=True)
                self._thread.start()
        watched.set(self.instances(name))
        watched.add_listener(on_change)

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            for name, watched in list(self._listeners.items()):
                watched.set(self.instances(name))

    def _look(self) -> None:
        with self._lock:
            try:
                if (stamp := _stamp(self._file)) != self._stamp:
                    self._stamp = stamp
                    self._services = _read(self._file)
            except ValueError as error:
                log.warning("keeping the instances known so far: %s", error)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size


def _read(file: Path) -> dict[str, list[Instance]]:
    try:
        services = tomllib.loads(file.read_text())["services"]
        return {name: [_instance(name, text) for text in addresses] for name, addresses in services.items()}
    except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f'{file} needs a table [services] of name = ["host:port"]: {error}') from error


def _instance(name: str, text: str) -> Instance:
    host, _, port = text.rpartition(":")
    if not host:
        raise ValueError(f"{text!r} is not host:port")
    return Instance(f"{name}-{host.strip('[]')}-{int(port)}", name, host.strip("[]"), int(port))
