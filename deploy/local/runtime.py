"""The system as processes on this machine: `deploy.runtime.Runtime` by the supervisor, its files and signals."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from deploy.local import scaling, starting, stopping
from deploy.local.client import System, find_system, http, not_running
from deploy.local.errors import Misused, Refused
from deploy.local.fleet import Fleet
from deploy.local.logs import Line, lines, log_files, merged
from deploy.local.processes import signal_group
from deploy.local.status import collect
from deploy.runtime import Said

if TYPE_CHECKING:
    import requests


class Processes:
    """`deploy.runtime.Runtime`, of one SOUK_HOME."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.gateway_url, self.registry_url = system.settings.gateway_url, system.settings.registry_url
        self.service_keys = system.home.service_keys

    @property
    def fleet(self) -> Fleet:
        return self._system.fleet

    def passwords(self) -> dict[str, str]:
        file = self._system.home.passwords_file
        try:
            return json.loads(file.read_text())
        except (OSError, ValueError):
            raise Refused(f"there are no passwords in {file}: `souk up` makes them") from None

    # ---- its life

    def up(self, said: Said) -> None:
        starting.hear_signals()
        self._system = starting.start(self._system, said)

    def stay(self) -> None:
        starting.stay(self._system)

    def down(self) -> str:
        return stopping.stop_and_say(self._system)

    def to_wipe(self) -> str | None:
        stopping.refuse_strangers(self._system)
        path = self._system.home.path
        return str(path) if path.exists() else None

    def wipe(self) -> None:
        stopping.wipe(self._system)

    # ---- looking at it

    def require_running(self) -> None:
        if self._system.supervisor_pid is None:
            raise not_running(self._system)

    def silence(self) -> str | None:
        if self._system.controllable:
            return None
        if self._system.supervisor_pid is not None:
            return "Souk is starting."
        from deploy.local import leftovers

        left = leftovers.find(self._system.home)
        more = f" {len(left)} processes of an earlier run are left: `souk down` ends them." if left else ""
        return "Souk does not run." + more

    def rows(self, memory: bool = True) -> list[dict]:
        return collect(self._system, memory)

    def http(self) -> "requests.Session":
        return http()

    def lines(self, service: str | None, following: bool) -> Iterator[Line]:
        if service is not None and service != "supervisor":
            self.fleet.get(service)
        return lines(self._system.home, service, following)

    def lines_with(self, *words: str) -> list[Line]:
        # Only these are parsed: logs may be long.
        return list(merged(log_files(self._system.home), keep=lambda text: any(word in text for word in words)))

    # ---- changing it

    def lock(self) -> AbstractContextManager[None]:
        return self._system.home.lock()

    def scale(self, counts: dict[str, int], said: Said) -> None:
        scaling.scale(self._system, counts, said)

    def restart(self, service: str, said: Said) -> None:
        scaling.restart(self._system, service, said)

    # ---- breaking it

    def signal(self, row: dict, name: str) -> str:
        _send(row, name)
        return f"{name} sent to {row['id']} (pid {row['pid']})"

    def away(self, row: dict, seconds: float) -> str:
        self._system.call("hold", name=row["name"], seconds=seconds)
        try:
            _send(row, "KILL")
            time.sleep(seconds)
        except BaseException:
            self._system.call("hold", name=row["name"], seconds=0)
            raise
        return f"{row['id']} (pid {row['pid']}) was killed, and away for {seconds:g} s"

    def still(self, row: dict, seconds: float) -> str:
        _send(row, "STOP")
        try:
            time.sleep(seconds)
        finally:
            # Also when we are interrupted: nobody else would wake it.
            replicas = scaling.patiently(self._system.replicas, time.monotonic() + scaling.COMMAND_S)
            replaced = all(replica["pid"] != row["pid"] for replica in replicas)
            if not replaced:
                _send(row, "CONT")
        if replaced:
            return f"{row['id']} was stopped and replaced before its {seconds:g} s were over (LIVENESS_S decides)"
        return f"{row['id']} (pid {row['pid']}) stood still for {seconds:g} s"

    def partition(self, service: str, other: str, seconds: float, said: Said) -> str:  # noqa: ARG002
        raise Misused(
            "processes on one host share its network, which cannot be cut between two of them: use --runtime compose"
        )


def find_processes(environ: Mapping[str, str] = os.environ) -> Processes:
    """The system of SOUK_HOME, running or not."""
    return Processes(find_system(environ))


def _send(row: dict, name: str) -> None:
    if not signal_group(row["pid"], signal.Signals[f"SIG{name}"]):
        raise Refused(f"{row['id']} (pid {row['pid']}) is gone already")
