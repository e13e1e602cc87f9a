"""Finds what a crashed run has left behind, by what only a process of ours has: the marker in its environment.

nginx writes its title over its environment; one of ours stands in a folder below this home. Numbers alone, of
processes or groups, prove nothing: after a restart of the machine they may be somebody else's.
"""

import os
from pathlib import Path

import psutil

from deploy.local.fleet import MARKER
from deploy.local.home import Home
from deploy.local.processes import end_all


def find(home: Home) -> list[psutil.Process]:
    """All processes of this user that belong to the system in `home`, other than the caller."""
    everybody = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    ours = {process.pid for process in everybody if is_ours(process, home.path)}
    # And whoever is in a group that one of ours leads, with or without a marker.
    return [process for process in everybody if process.pid in ours or _group(process.pid) in ours]


def end(home: Home, grace_s: float = 5) -> int:
    """End all of them, and remove stale sockets and pid files. Returns how many processes there were."""
    processes = find(home)
    if processes:
        end_all(processes, grace_s)
        # What they started while they were ending.
        end_all(find(home), 0)
    home.sweep_run()
    return len(processes)


def is_ours(process: psutil.Process, home: Path) -> bool:
    """Whether this process belongs to the system in `home`."""
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARKER) == str(home):
            return True
        return process.name() == "nginx" and Path(process.cwd()).is_relative_to(home)
    except (psutil.Error, OSError):
        return False


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0
