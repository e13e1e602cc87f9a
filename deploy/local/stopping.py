"""`souk down` and `souk reset`: nothing is left running, nothing is left over."""

import os
import shutil
import signal
from contextlib import suppress

from deploy.local import leftovers
from deploy.local.client import System
from deploy.local.errors import Refused
from deploy.local.home import KNOWN
from deploy.local.processes import alive, wait_until

# What the supervisor needs on top of the graceful stop of its processes, of which the registry is the last.
SUPERVISOR_S = 5
QUIT_S = 5.0  # one that is too busy even for this is ended by a signal


def stop(system: System) -> int:
    """Stop gracefully, then end whatever is left. Returns how many processes had to be ended."""
    pid = system.supervisor_pid
    if pid is not None and alive(pid):
        try:
            system.call("quit", timeout_s=QUIT_S)
        except Refused:
            # It has not come so far that it listens, or it hangs.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        patience = system.settings.stop_timeout_s + SUPERVISOR_S
        if not wait_until(lambda: not alive(pid), patience):
            # Before its replicas, or it would start them again.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return leftovers.end(system.home)


def stop_and_say(system: System) -> str:
    """Stop alone, whatever state the system is in; returns what there was to do."""
    if system.home.run.exists():
        with system.home.lock():
            ended = stop(system)
    else:
        # The folder may have been removed under a running system.
        ended = leftovers.end(system.home)
    return "Souk is stopped." if system.supervisor_pid or ended else "Souk does not run."


def refuse_strangers(system: System) -> None:
    """Raises Refused for a folder that holds anything but what a run writes."""
    if strangers := system.home.strangers():
        raise Refused(f"{system.home.path} is no SOUK_HOME, it holds {strangers[0]}: nothing is removed")


def wipe(system: System) -> None:
    """Remove SOUK_HOME, and nothing else."""
    refuse_strangers(system)
    for name in KNOWN:
        path = system.home.path / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    system.home.path.rmdir()
