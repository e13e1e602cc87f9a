"""The nginx process: start it, take over one that still runs, signal it, end it and leave nothing behind.

nginx is started in its own folder, and all its processes stay there. So they can be told from any other nginx
of the machine, also a worker whose master was killed: it still holds the port and has no other mark of ours.
"""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from gateway.log import log

START_S = 10.0
POLL_S = 0.02
PROC = Path("/proc")


class NginxError(Exception):
    """nginx cannot run; the message is one line for the operator."""


class Nginx:
    """The nginx of one folder. `prefix` holds nginx.conf, nginx.pid, tmp and cache; `error_log` takes what
    nginx says before it has read its configuration.
    """

    def __init__(self, binary: str, prefix: Path, error_log: Path) -> None:
        self.binary, self.prefix, self.error_log = binary, prefix, error_log
        self.pid = 0
        self._child: subprocess.Popen[bytes] | None = None

    def adopt(self) -> bool:
        """Take over the master that an earlier watcher left running; end workers that have no master.

        False: nothing of ours runs now.
        """
        pid = self._recorded_pid()
        if pid and self._is_ours(pid):
            self.pid = pid
            return True
        self._end_leftovers()
        return False

    def start(self, host: str, port: int) -> None:
        """Start nginx with the nginx.conf that is there; back when it accepts connections. Raises NginxError."""
        _check_port_is_free(host, port)
        words = [self.binary, "-p", f"{self.prefix}/", "-c", "nginx.conf", "-e", "stderr"]
        # Not our own standard output: nginx may outlive us, and a supervisor may wait for that pipe to close.
        with self.error_log.open("ab") as output:
            self._child = subprocess.Popen(
                words, cwd=self.prefix, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self._child.pid
        deadline = time.monotonic() + START_S
        while not (self._recorded_pid() == self.pid and _accepts(host, port)):
            if not self.alive():
                raise NginxError(f"nginx ended at its start; the reason is at the end of {self.error_log}")
            if time.monotonic() > deadline:
                self.stop(1)
                raise NginxError(f"nginx does not accept connections on {host}:{port} after {START_S:g} s")
            time.sleep(POLL_S)

    def alive(self) -> bool:
        """Whether the master runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self._is_ours(self.pid)

    def reload(self) -> None:
        """Have the master read nginx.conf again: new workers for new connections, old ones end by themselves."""
        self._signal(signal.SIGHUP)

    def reopen_logs(self) -> None:
        self._signal(signal.SIGUSR1)

    def stop(self, grace_s: float) -> None:
        """End nginx: gracefully, after `grace_s` quickly, and in the end by force. Nothing is left running."""
        for number, wait_s in ((signal.SIGQUIT, grace_s), (signal.SIGTERM, 1.0)):
            self._signal(number)
            deadline = time.monotonic() + wait_s
            while self.alive():
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL_S)
            else:
                break
        self._end_leftovers()
        if self._child is not None:
            self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                log("info", "nginx ended before a signal reached it", signal=number.name)

    def _recorded_pid(self) -> int:
        try:
            return int((self.prefix / "nginx.pid").read_text())
        except (OSError, ValueError):
            return 0

    def _processes(self) -> set[int]:
        """All processes of this nginx, master and workers. Where there is no /proc: only the recorded master."""
        pids = _all_pids() or [self._recorded_pid()]
        return {pid for pid in pids if pid and self._is_ours(pid)}

    def _is_ours(self, pid: int) -> bool:
        if not PROC.exists():
            return f"nginx -p {self.prefix}/" in _command(pid)
        try:
            return (
                (PROC / str(pid) / "comm").read_text().strip() == "nginx"
                and (PROC / str(pid) / "cwd").samefile(self.prefix)
                and b") Z " not in (PROC / str(pid) / "stat").read_bytes()
            )
        except OSError:
            return False  # it has ended, or belongs to another user and so not to us

    def _end_leftovers(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._processes():
                log("warning", "ending a process of nginx that was left over", pid=pid, signal=number.name)
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + 1.0
            while self._processes():
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL_S)
            else:
                return


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()] if PROC.exists() else []


def _command(pid: int) -> str:
    words = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _check_port_is_free(host: str, port: int) -> None:
    """nginx itself would try for two seconds and then explain it in its own words."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)  # without listening: a client that comes now must not be lured in here
    except OSError as error:
        raise NginxError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop the program that holds the port, or set GATEWAY_PORT to another one"
        ) from error


def _accepts(host: str, port: int) -> bool:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nosec B104 # an address to compare with
    try:
        socket.create_connection((address, port), timeout=1.0).close()
    except OSError:
        return False
    return True
