"""One replica: a circus watcher with one process, which comes back when it dies."""

import os
import signal
import time
from collections.abc import Awaitable

from circus.process import Process
from circus.watcher import Watcher

from deploy.local.fleet import Service, log_file
from deploy.local.home import Home
from deploy.local.processes import signal_group

# A process that lived shorter than this has crashed at once: the next start waits, longer each time.
YOUNG_S = 3.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 5.0


def delay_before_restart(early_deaths: int) -> float:
    """How long to wait after so many early deaths in a row. The first one is repeated at once."""
    if early_deaths <= 1:
        return 0.0
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (early_deaths - 2))


class Replica(Watcher):
    """Starts, restarts and stops one process group.

    circus restarts a crashed process at once and for ever; here a crash loop is damped. Its own check of each
    process' status is left out: the arbiter hands every dead child to `reap_process`.
    """

    def __init__(self, home: Home, service: Service, number: int, env: dict, stop_timeout_s: float) -> None:
        self.home, self.service, self.number = home, service, number
        name = f"{service.name}-{number}"
        super().__init__(
            name,
            "/bin/sh",
            # Straight into the file: what a process says in its last moment is not lost in a pipe of ours.
            args=["-c", 'exec "$@" >>"$SOUK_LOG" 2>&1', "sh", *service.command],
            env={**env, "SOUK_LOG": str(log_file(home.path, name))},
            graceful_timeout=stop_timeout_s,
            # The registry first, so that the others find it at their first try.
            priority=1 if service.name == "registry" else 0,
            max_retry=1,
            singleton=True,
        )
        self.deaths = 0
        self.early_deaths = 0
        self.last_exit: int | None = None
        self.start_after = 0.0
        self.hold_until = 0.0  # asked for by `souk kill --for`
        self.retired = False
        self.port: int | None = None

    @property
    def pid(self) -> int | None:
        """The leader of the process group, or None between a death and the next start."""
        return next(iter(self.processes), None)

    @property
    def started(self) -> float | None:
        """When the process was started, in seconds since the epoch."""
        return next((process.started for process in self.processes.values()), None)

    def spawn_process(self, recovery_wid: int | None = None) -> float | bool:
        self.port = None
        return super().spawn_process(recovery_wid)

    def manage_processes(self) -> None:
        due = time.monotonic() >= max(self.start_after, self.hold_until)
        if due and self.is_active() and not self.retired and not self.processes:
            self.spawn_process()

    def reap_process(self, pid: int, status: int | None = None) -> None:
        process = self.processes.get(pid)
        super().reap_process(pid, status)
        # Whoever the leader has left behind, such as nginx, still holds its port.
        signal_group(pid, signal.SIGKILL)
        if process is None or self.is_stopping() or self.retired:
            return
        self.deaths += 1
        self.last_exit = None if status is None else os.waitstatus_to_exitcode(status)
        young = process.age() < YOUNG_S
        self.early_deaths = self.early_deaths + 1 if young else 0
        self.start_after = time.monotonic() + delay_before_restart(self.early_deaths)

    def kill_process(
        self, process: Process, stop_signal: int | None = None, graceful_timeout: float | None = None
    ) -> Awaitable:
        stopping = super().kill_process(process, stop_signal, graceful_timeout)
        # A stopped process (SIGSTOP) would hear the TERM only when it goes on.
        signal_group(process.pid, signal.SIGCONT)
        return stopping

    def describe(self) -> dict:
        """What the command line is told about this replica."""
        return {
            "name": self.name,
            "service": self.service.name,
            "number": self.number,
            "pid": self.pid,
            "port": self.port,
            "started": self.started,
            "stopping": self.retired or self.is_stopping(),
            "deaths": self.deaths,
            "last_exit": self.last_exit,
        }
