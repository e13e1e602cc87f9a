"""The gateway's life: begin with what is known, start nginx or take it over, follow the registry, stop."""

import fcntl
import logging
import queue
import signal
import sys
import threading
import time
from typing import IO

from chassis.discovery import make_discovery
from gateway.attempts import Attempts
from gateway.fleet import FleetError, read_fleet
from gateway.log import JsonLines, log
from gateway.process import Nginx, NginxError
from gateway.reload import Configuration
from gateway.render import render
from gateway.settings import Settings, SettingsError, load
from gateway.watch import Discovery, Watch

FIRST_ANSWERS_S = 2.0
LOOK_S = 0.5  # how often it is checked that nginx still runs
RETRY_S = 2.0  # until a configuration that could not be put in force is tried again
CHANGE, EJECTION, STOP = "change", "ejection", "stop"


class Gateway:
    """One nginx and what keeps its configuration right."""

    def __init__(self, settings: Settings, discovery: Discovery) -> None:
        self.settings, self.discovery = settings, discovery
        self.routes = read_fleet(settings.fleet_file)
        # A SimpleQueue, because a signal handler may put into it whatever the main thread is doing.
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.serving = threading.Event()
        _make_folders(settings)
        names = [route.service for route in self.routes]
        self.watch = Watch(names, lambda: self.events.put(CHANGE), settings.prefix / "known.json")
        self.nginx = Nginx(settings.nginx_bin, settings.prefix, settings.logs / "gateway-error.log")
        self.configuration = Configuration(self.nginx)
        self.attempts = self._make_attempts()
        self.retry_at: float | None = None

    def run(self) -> int:
        """Serve until `stop` is called; the exit status. Raises NginxError when nginx cannot start."""
        lock = _only_one(self.settings)
        if not self.watch.start(self.discovery, FIRST_ANSWERS_S):
            log("warning", "the registry has not answered; going on with what was known before")
        self._begin()
        if self.attempts is not None:
            self.attempts.start()
        stopped = self._follow()
        if not stopped:
            log("error", "nginx has ended unexpectedly")
        self.nginx.stop(self.settings.stop_s)
        if self.attempts is not None:
            self.attempts.stop()
        log("info", "stopped")
        lock.close()
        return 0 if stopped else 1

    def stop(self) -> None:
        self.events.put(STOP)

    def _begin(self) -> None:
        text = self._text()
        if self.nginx.adopt():
            log("info", "taking over the nginx that runs already", nginx_pid=self.nginx.pid)
            self.configuration.apply(text)
        else:
            if not self.configuration.put(text) and not (self.settings.prefix / "nginx.conf").exists():
                raise NginxError("nginx rejects the first configuration; its reason is in the log")
            self.nginx.start(self.settings.host, self.settings.port)
        self.watch.save()
        self.serving.set()
        log("info", "serving", host=self.settings.host, port=self.settings.port, nginx_pid=self.nginx.pid)

    def _follow(self) -> bool:
        """Put changes into force until told to stop (True) or until nginx has ended (False)."""
        while self.nginx.alive():
            event = self._next(LOOK_S)
            if event == CHANGE:
                event = self._settle()
                if event != STOP:
                    self._refresh()
            elif event == EJECTION:  # one at a time, and every moment counts
                self._refresh()
            if event == STOP:
                return True
            if self.retry_at is not None and time.monotonic() >= self.retry_at:
                self._refresh()
            self._keep_logs_small()
        return False

    def _settle(self) -> str | None:
        """Let changes that come together become one reload: wait out a fixed window after the first of them."""
        end = time.monotonic() + self.settings.reload_window_ms / 1000
        while (left := end - time.monotonic()) > 0:
            if self._next(left) == STOP:
                return STOP
        return None

    def _refresh(self) -> None:
        text = self._text()
        try:
            if self.configuration.apply(text):
                self.watch.save()
        except OSError as error:  # a full disk, say: the running nginx is not touched
            log("error", "the new configuration cannot be written", reason=str(error))
        # Tried again if it is not in force: what stood in the way may be gone, and no change may come for long.
        self.retry_at = None if self.configuration.text == text else time.monotonic() + RETRY_S

    def _make_attempts(self) -> Attempts | None:
        if not self.settings.watches_attempts:
            return None
        try:
            return Attempts(
                self.settings.port, self.settings.ejection_s, self.settings.try_budget / 100,
                lambda: self.events.put(EJECTION),
            )  # fmt: skip
        except OSError as error:
            log("warning", "nginx cannot tell how instances are; none will be left out", reason=str(error))
            return None

    def _text(self) -> str:
        live = self.watch.live()
        if self.attempts is not None:
            live = self.attempts.adjust(live)
        return render(self.routes, live, self.settings)

    def _next(self, wait_s: float) -> str | None:
        try:
            return self.events.get(timeout=wait_s)
        except queue.Empty:
            return None

    def _keep_logs_small(self) -> None:
        for name in ("gateway-access.log", "gateway-error.log"):
            file = self.settings.logs / name
            if file.exists() and file.stat().st_size > self.settings.log_max_mb * 1_000_000:
                file.replace(file.with_suffix(".log.1"))
                self.nginx.reopen_logs()


def _make_folders(settings: Settings) -> None:
    settings.prefix.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (settings.prefix / "tmp", settings.prefix / "cache", settings.logs):
        folder.mkdir(parents=True, exist_ok=True)


def _only_one(settings: Settings) -> IO[str]:
    """Hold this nginx's folder; a second gateway would take over the nginx of the first. Freed by any death."""
    lock = (settings.prefix / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise NginxError(f"another gateway runs for {settings.souk_home}") from error
    return lock


def main() -> int:
    """The process's life; its exit status. 2: the settings are wrong. 1: nginx cannot run or has ended."""
    logging.basicConfig(level=logging.WARNING, handlers=[JsonLines()])
    try:
        settings = load()
        gateway = Gateway(settings, make_discovery(settings.discovery_url))
    except (SettingsError, FleetError, ValueError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.stop())
    try:
        return gateway.run()
    except NginxError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
