"""Who uses the processor: CPU cores of every part of the system, of the generator and of the host, once a second."""

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

PERIOD_S = 1.0
MARKER, SERVICE = "SOUK_FLEET", "SOUK_SERVICE"
SINGLES = ("registry", "gateway")

Row = tuple[float, str, str, float]  # seconds of the monotonic clock, subject, metric, value


class Monitor:
    """From `__enter__` to `__exit__`; then `rows` is all of it.

    Subjects: `service:<name>` for each service and the bank, `nginx`, `gateway` (nginx's watcher), `registry`, `runner`
    (the supervisor), those of `others` (name -> pid, such as generator), `host`. Metrics: `cpu_cores`, for `host`
    `cpu_share` (0 to 1, of all cores); `replicas` of each service.
    """

    def __init__(self, home: Path | None, others: Mapping[str, int]) -> None:
        self._home = None if home is None else str(home)
        self._fixed = {pid: name for name, pid in others.items()}
        self._known: dict[tuple[int, float], str] = {}
        self._processes: dict[int, psutil.Process] = {}
        self._before: dict[tuple[int, float], float] = {}
        self._host_before = (0.0, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.rows: list[Row] = []

    def __enter__(self) -> "Monitor":
        self._look()
        self._looked_at = time.monotonic()
        self.rows.clear()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        due = self._looked_at
        while not self._over.wait(max(0.0, (due := due + PERIOD_S) - time.monotonic())):
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        span_s = now - getattr(self, "_looked_at", now - PERIOD_S)
        self._looked_at = now
        used, leaders = self._used()
        for subject, seconds in used.items():
            self.rows.append((now, subject, "cpu_cores", seconds / span_s))
        for subject, groups in leaders.items():
            self.rows.append((now, subject, "replicas", float(len(groups))))
        self.rows.append((now, "host", "cpu_share", self._host()))

    def _used(self) -> tuple[Counter[str], dict[str, set[int]]]:
        """CPU seconds of each subject since the last look, and the process groups of each service."""
        used: Counter[str] = Counter()
        leaders: dict[str, set[int]] = {}
        subjects = self._subjects()
        times: dict[tuple[int, float], float] = {}
        for process, (subject, group) in subjects.items():
            with suppress(psutil.Error):
                key, cpu = (process.pid, process.create_time()), process.cpu_times()
                times[key] = cpu.user + cpu.system
                used[subject] += times[key] - self._before.get(key, 0.0)
                if subject.startswith("service:"):
                    leaders.setdefault(subject, set()).add(group)
        self._before = times
        return used, leaders

    def _subjects(self) -> dict[psutil.Process, tuple[str, int]]:
        pids = set(psutil.pids())
        self._processes = {pid: process for pid, process in self._processes.items() if pid in pids}
        groups: dict[int, str] = {}
        found: dict[psutil.Process, tuple[str, int]] = {}
        unmarked: list[tuple[psutil.Process, int]] = []
        for pid in pids:
            with suppress(psutil.Error, OSError):
                process = self._processes.get(pid) or self._processes.setdefault(pid, psutil.Process(pid))
                group = os.getpgid(pid)
                if (subject := self._fixed.get(pid) or self._marked(process)) is None:
                    unmarked.append((process, group))
                else:
                    found[process] = (subject, group)
                    groups[group] = subject
        for process, group in unmarked:
            # nginx writes its title over its environment, so its group tells whose it is.
            with suppress(psutil.Error):
                if group in groups:
                    found[process] = ("nginx" if process.name() == "nginx" else groups[group], group)
        return found

    def _marked(self, process: psutil.Process) -> str | None:
        """The subject by the environment; kept once it is known: between fork and exec it is another's."""
        if self._home is None:
            return None
        key = (process.pid, process.create_time())
        if key in self._known:
            return self._known[key]
        environment = process.environ()
        if environment.get(MARKER) != self._home:
            return None
        service = environment.get(SERVICE)
        if service is None:
            return "runner"
        self._known[key] = subject = service if service in SINGLES else f"service:{service}"
        return subject

    def _host(self) -> float:
        """The busy share of all cores since the last look; waiting for a disk is not busy."""
        times = psutil.cpu_times()
        idle, total = times.idle + getattr(times, "iowait", 0.0), sum(times[:8])
        idle_before, total_before = self._host_before
        self._host_before = (idle, total)
        span = total - total_before
        return 1 - (idle - idle_before) / span if span > 0 else 0.0
