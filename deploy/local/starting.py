"""The story of `souk up`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from deploy.local import leftovers, preflight
from deploy.local.client import Silent, System, find_system, note_system
from deploy.local.errors import Refused
from deploy.local.fleet import MARKER, log_file
from deploy.local.health import answers
from deploy.local.logs import tail
from deploy.local.prepare import prepare
from deploy.local.processes import alive
from deploy.local.status import collect
from deploy.local.stopping import stop

POLL_S = 0.2
ALIVE_S = 0.5
# One early death may be bad luck; the second one within a start is a loop.
DEATHS_TOO_MANY = 2


def start(system: System, said: Callable[[str], None]) -> System:
    """Start the system and wait until it serves. On failure nothing is left running.

    Raises Refused with the process that failed and the end of its log.
    """
    home, settings = system.home, system.settings
    os.umask(0o077)  # databases and logs are nobody else's business
    home.create()
    with home.lock():
        if (running := find_system()).supervisor_pid is not None:
            return running
        home.furnish()
        try:
            if found := leftovers.end(home):
                said(f"ended {found} processes of an earlier run")
            preflight.check(settings, system.fleet)
            said("preparing the databases")
            prepare(settings, system.fleet, lambda name: said(f"prepared {name}"))
            said("starting the processes")
            supervisor = _start_supervisor(system)
            # From here on `stop` has to know whom to stop, whatever interrupts us.
            system = System(settings, supervisor.pid)
            _wait_for_control(system, supervisor)
            _wait(system, said)
        except BaseException:
            stop(system)
            raise
    return system


def _start_supervisor(system: System) -> subprocess.Popen:
    log = system.home.logs / "supervisor.log"
    env = {**os.environ, **system.settings.as_environment(), MARKER: str(system.home.path)}
    with log.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.local.supervisor"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    note_system(system.settings, process.pid)
    return process


def _wait_for_control(system: System, supervisor: subprocess.Popen) -> None:
    deadline = time.monotonic() + system.settings.start_timeout_s
    while not system.controllable:
        if supervisor.poll() is not None or time.monotonic() > deadline:
            words = tail(system.home.logs / "supervisor.log")
            raise Refused(f"the supervisor did not start; its last words:\n{words}")
        time.sleep(0.02)


def _wait(system: System, said: Callable[[str], None]) -> None:
    """Until every instance is passing and every public service answers through the gateway."""
    deadline = time.monotonic() + system.settings.start_timeout_s
    while True:
        try:
            _refuse_crash_loops(system)
            late, why = _not_ready(system)
        except Silent:  # a dozen processes that start at once can keep it waiting
            late, why = "supervisor", "the supervisor is busy"
        if late is None:
            return
        said(why)
        if time.monotonic() > deadline:
            log = log_file(system.home.path, late)
            limit = f"{system.settings.start_timeout_s:.0f} s"
            raise Refused(f"not ready after {limit}: {why}; the end of {log}:\n{tail(log)}")
        time.sleep(POLL_S)


def _not_ready(system: System) -> tuple[str | None, str]:
    """The replica to blame and what to say; (None, "") when all is ready."""
    rows = collect(system, memory=False)
    if waiting := [row for row in rows if row["health"] != "passing"]:
        names = ", ".join(sorted({row["service"] for row in waiting}))
        return waiting[0]["name"], f"{len(rows) - len(waiting)} of {len(rows)} pass, waiting for {names}"
    for name, path in _front_doors(system).items():
        # The gateway may have heard of the last ones a moment ago, and put them in force a moment later.
        if (status := answers(f"{system.settings.gateway_url}{path}", timeout_s=5)) != 200:
            return f"{name}-1", f"all pass, but through the gateway {path} answers {status or 'nothing'}"
    return None, ""


def _front_doors(system: System) -> dict[str, str]:
    """Service -> a public page of it that always answers."""
    services = system.fleet.services
    if "gateway" not in services:
        return {}
    routed = {name: service.prefix for name, service in services.items() if service.prefix}
    return {name: "/" if prefix == "/" else f"{prefix}/openapi.json" for name, prefix in routed.items()}


def _refuse_crash_loops(system: System) -> None:
    for replica in system.replicas():
        if replica["deaths"] >= DEATHS_TOO_MANY:
            log = log_file(system.home.path, replica["name"])
            raise Refused(
                f"{replica['name']} does not start (exit code {replica['last_exit']}); "
                f"its last words in {log}:\n{tail(log)}"
            )


def stay(system: System) -> None:
    """In the foreground until the system is stopped; Ctrl-C stops it. Raises Refused when its supervisor dies."""
    try:
        while system.supervisor_pid and alive(system.supervisor_pid):
            time.sleep(ALIVE_S)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with system.home.lock(wait_s=ALIVE_S):
            stop(system)
        return
    with system.home.lock(wait_s=system.settings.stop_timeout_s):
        # `souk down` leaves no such note.
        if system.home.system_file.exists():
            stop(system)
            log = system.home.logs / "supervisor.log"
            raise Refused(f"the supervisor has died, so everything is stopped; the end of {log}:\n{tail(log)}")


def hear_signals() -> None:
    """A `kill`, or a closed terminal, is heard like Ctrl-C: what was started is stopped."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
