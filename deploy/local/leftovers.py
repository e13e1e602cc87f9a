"""Finds what a crashed run has left behind: by the marker in the environment, and by noted process groups.

nginx writes its title over its environment, so the marker alone would miss it; the supervisor therefore notes
each process group that it starts.
"""

import os

import psutil

from deploy.local.fleet import MARKER
from deploy.local.home import Home
from deploy.local.processes import end_all


def note_group(home: Home, pid: int, created: float) -> None:
    """Remember that `pid` (created then, in seconds since the epoch) leads a group of ours."""
    with home.groups_file.open("a") as file:
        file.write(f"{pid} {created}\n")


def find(home: Home) -> list[psutil.Process]:
    """All processes of this user that belong to the system in `home`, other than the caller."""
    noted = _noted_groups(home)
    everybody = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    ours = {process.pid for process in everybody if _is_ours(process, str(home.path), noted)}
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


def _noted_groups(home: Home) -> dict[int, float]:
    """Group -> when its leader was created, without groups whose number belongs to somebody else by now."""
    if not home.groups_file.exists():
        return {}
    noted = {}
    for line in home.groups_file.read_text().splitlines():
        pid, created = line.split()
        try:
            same = abs(psutil.Process(int(pid)).create_time() - float(created)) < 1
        except psutil.Error:
            same = True
        if same:
            noted[int(pid)] = float(created)
    return noted


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _is_ours(process: psutil.Process, home: str, noted: dict[int, float]) -> bool:
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        created = noted.get(_group(process.pid))
        if created is not None and process.create_time() >= created - 1:
            return True
        return process.environ().get(MARKER) == home
    except (psutil.Error, OSError):
        return False
