"""The process: gunicorn with one gevent worker, because all watchers wait on one memory."""

import json
import logging
import resource
import socket
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from registry.app import create_app
from registry.blocking import Watches
from registry.kv import KeyValues
from registry.settings import Settings, SettingsError, load

USAGE = "usage: python -m registry serve"
MAX_CONNECTIONS = 20_000
BACKLOG = 4096
KEEP_ALIVE_S = 180  # longer than clients keep an idle connection, so that they close it and never we
# As good as nothing, but a timer: `sleep(0)` would queue behind every watcher that has just been woken.
A_TURN_S = 1e-6

log = logging.getLogger("registry")


def main() -> None:
    """The command line. Ends with 2 for a wrong command or setting, 1 if the port or the file is not to be had."""
    if sys.argv[1:] != ["serve"]:
        sys.exit(fail(USAGE, 2))
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(fail(f"registry: these settings are wrong\n{error}", 2))
    try:
        # Tried here, where a failure is one line; the worker opens the file anew after the fork.
        KeyValues(settings.database, Watches()).close()
    except (OSError, sqlite3.Error) as error:
        sys.exit(fail(f"registry: cannot use {settings.database}: {error}", 1))
    try:
        listener = listen(settings)
    except OSError as error:
        sys.exit(fail(f"registry: cannot listen on {settings.host}:{settings.port}: {error.strerror}", 1))
    start_log(settings.log_level)
    raise_file_limit()
    Server(settings, listener).run()


def fail(message: str, code: int) -> int:
    sys.stderr.write(f"{message}\n")
    return code


def listen(settings: Settings) -> socket.socket:
    """Bound here rather than by gunicorn, which tries a taken port five times and says so each time.

    Raises OSError.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.listen(BACKLOG)
    return listener


def raise_file_limit() -> None:
    """A waiting watcher holds a connection, so the soft limit of open files is the limit of watchers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Worker(GeventWorker):
    def handle_request(self, *request: Any) -> None:
        """After each answer it is the others' turn: gevent changes over only where a read has to wait, and
        a client that asks again at once would keep all others waiting for as long as it likes."""
        super().handle_request(*request)
        gevent.sleep(A_TURN_S)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A polite stop would wait for answers that are held for minutes; watchers ask again anyway."""
        self.handle_quit(sig, frame)


class Server(BaseApplication):
    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        host, port = listener.getsockname()[:2]
        self._address = f"{host}:{port}"
        self._fd = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        values = {
            "bind": f"fd://{self._fd}",
            "workers": 1,
            "worker_class": Worker,
            "worker_connections": MAX_CONNECTIONS,
            "keepalive": KEEP_ALIVE_S,
            "backlog": BACKLOG,
            "limit_request_line": 8190,
            # A paused machine must not cost the memory of all registrations.
            "timeout": 0,
            "graceful_timeout": 1,
            "control_socket_disable": True,
            "proc_name": "souk-registry",
            "logger_class": QuietLogger,
            "loglevel": "debug" if self._settings.log_level == "debug" else "warning",
            "post_worker_init": lambda _worker: log.info("listening on %s", self._address),
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._settings)

    def run(self) -> None:
        Arbiter(self).run()


class QuietLogger(Logger):
    """gunicorn's messages go the way of ours."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": "registry",
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_log(level: str) -> None:
    """JSON lines on standard output, with the names that the services use."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
