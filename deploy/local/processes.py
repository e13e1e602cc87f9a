"""What the operating system knows: process groups, their sockets and memory. psutil, so macOS works too."""

import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def groups(leaders: Iterable[int]) -> dict[int, list[psutil.Process]]:
    """The processes of each process group that one of `leaders` leads."""
    found: dict[int, list[psutil.Process]] = {pid: [] for pid in leaders}
    for pid in psutil.pids():
        try:
            group = os.getpgid(pid)
            if group in found:
                found[group].append(psutil.Process(pid))
        except (*GONE, PermissionError):
            continue
    return found


def listening_port(members: Iterable[psutil.Process]) -> int | None:
    """The first TCP port on which a group listens, or None."""
    for process in members:
        try:
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return connection.laddr.port
        except psutil.Error:
            continue
    return None


def has_accepted(members: Iterable[psutil.Process], peer_port: int) -> bool:
    """Whether one of the processes holds the connection that came from `peer_port`.

    The kernel completes connections for a process that is stopped; only one that runs accepts them.
    """
    for process in members:
        try:
            if any(c.raddr and c.raddr.port == peer_port for c in process.net_connections("tcp")):
                return True
        except psutil.Error:
            continue
    return False


def memory_bytes(members: Iterable[psutil.Process]) -> int:
    """What the group costs: its proportional set size; where there is none, unique or resident size."""
    total = 0
    for process in members:
        try:
            full = process.memory_full_info()
            total += getattr(full, "pss", 0) or full.uss
        except GONE:
            continue
        except psutil.AccessDenied:
            total += process.memory_info().rss
    return total


def signal_group(pid: int, signum: int) -> bool:
    """Send a signal to the group that `pid` leads; False when it is gone."""
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says this of a group in which only zombies are left.
        return False
    return True


def end_all(processes: list[psutil.Process], grace_s: float) -> None:
    """End processes: TERM, `grace_s` of time, then KILL. Stopped ones are woken, so that they hear it."""
    for signum in (signal.SIGTERM, signal.SIGCONT):
        for process in processes:
            _send(process, signum)
    _, left = psutil.wait_procs(processes, timeout=grace_s)
    for process in left:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)


def _send(process: psutil.Process, signum: int) -> None:
    try:
        process.send_signal(signum)
    except psutil.Error:
        return


def wait_until(condition: Callable[[], object], timeout_s: float, every_s: float = 0.1) -> bool:
    """Poll until `condition()` holds; False when `timeout_s` has passed before."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
