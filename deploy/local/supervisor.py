"""The process that stays: circus' arbiter with one watcher per replica, and the liveness checks.

`python -m deploy.local.supervisor`, started by `souk up`. The command line speaks to it over circus' own
socket, with the commands in `control.py` beside those of circus.
"""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from datetime import UTC, datetime

from circus.arbiter import Arbiter
from tornado import gen

from deploy.local import control  # noqa: F401 (circus finds commands by their classes)
from deploy.local import fleet as fleets
from deploy.local import settings as runner_settings
from deploy.local.home import SOCKET, Home, take_lock
from deploy.local.liveness import Liveness
from deploy.local.replica import Replica

CHECK_EVERY_S = 0.2
LOCK = "supervisor.lock"


class Supervisor(Arbiter):
    """All replicas of one system."""

    def __init__(self, settings: runner_settings.Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.fleet = fleets.load_fleet(settings)
        sockets = self.home.make_sockets_folder()
        self.leaving: list[Replica] = []
        self._stopping: bool
        super().__init__(
            [],
            endpoint=f"ipc://{sockets / SOCKET}",
            pubsub_endpoint=f"ipc://{sockets / 'events.sock'}",
            check_delay=CHECK_EVERY_S,
        )
        # To circus a HUP means to start everything anew; to us it means that some terminal was closed.
        signal.signal(signal.SIGHUP, lambda *_: None)
        for service in self.fleet.services.values():
            for number in range(1, service.replicas + 1):
                self.watchers.append(self._replica(service, number))
        self.liveness = Liveness(settings, lambda: list(self.watchers))

    def _replica(self, service: fleets.Service, number: int) -> Replica:
        env = fleets.environment(self.settings, self.fleet, service)
        return Replica(self.home, service, number, env, self.settings.stop_timeout_s)

    def manage_watchers(self) -> None:
        """Reap the dead and start what is due, several times a second.

        Not circus' own, which refuses to look while another command is at work.
        """
        if not self._stopping:
            self.reap_processes()
            for replica in self.watchers:
                replica.manage_processes()

    @gen.coroutine
    def start_watchers(self, *_: object) -> Generator:
        """Start all, and cease when `stop` is called meanwhile."""
        for replica in self.iter_watchers():
            if not self._stopping:
                yield replica._start()
        self.liveness.start()

    @gen.coroutine
    def stop(self) -> Generator:
        """Stop all and end. Not circus' own, which refuses while another command is at work."""
        if not self._stopping:
            self._stopping = True
            yield self._stop_watchers()
            self.loop.add_callback(self.loop.stop)

    @gen.coroutine
    def _stop_watchers(self, *_: object, **__: object) -> Generator:
        """Everything at once, and the registry when nobody needs it any more to take its leave."""
        yield [w._stop() for w in [*self.watchers, *self.leaving] if w.service.name != "registry"]
        yield [w._stop() for w in self.watchers if w.service.name == "registry"]

    def begin(self, service: fleets.Service) -> Replica:
        """Start one more replica of a service."""
        taken = {w.number for w in [*self.watchers, *self.leaving] if w.service.name == service.name}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        replica = self._replica(service, number)
        replica.initialize(self.evpub_socket, self.sockets, self)
        self.watchers.append(replica)
        self._watchers_names[replica.name] = replica
        self.loop.add_callback(replica._start)
        return replica

    @gen.coroutine
    def retire(self, replica: Replica) -> Generator:
        """Stop a replica gracefully and forget it.

        Not circus' `rm`: that one locks the arbiter until the process has drained, and a replica that crashes
        meanwhile would not come back.
        """
        replica.retired = True
        self.watchers.remove(replica)
        self._watchers_names.pop(replica.name)
        self.leaving.append(replica)
        yield replica._stop()
        self.leaving.remove(replica)


class JsonLines(logging.Formatter):
    """The same form as the services' logs, so that `souk logs` reads them together."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "service": "supervisor",
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def main() -> None:
    """Run until told to quit. Exit code 1 when another supervisor runs this system."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    settings = runner_settings.load()
    held = take_lock(Home(settings.home).run / LOCK)
    if held is None:
        sys.exit("another supervisor runs this system")
    # circus asks for the full name of this machine, which is used nowhere here; without a working DNS the
    # question takes seconds.
    socket.getfqdn = lambda name="": name or "localhost"
    os.umask(0o077)
    with held:
        Supervisor(settings).start()


if __name__ == "__main__":
    main()
