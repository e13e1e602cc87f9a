"""gunicorn with our hooks: bind a free port, fork, register what was bound; drain and leave before the end.

One worker process with threads; more capacity is more replicas. gunicorn on SIGTERM closes its listeners first,
which would refuse the requests of everybody who has not yet heard that this instance leaves. So `DrainingArbiter`
takes the signal before it: the worker deregisters and goes on accepting for DRAIN_S, then gunicorn stops.

The application is imported in the worker alone. Imported in the master and shared by the fork it would cost more
memory, not less: CPython writes to the reference count of whatever it touches, and each page that is written to is
copied. `bench/memory.py` shows both.
"""

import gc
import importlib
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from chassis.patience import PatientWorker
from chassis.settings import ChassisSettings


class DrainingArbiter(Arbiter):
    """gunicorn's master, with a grace period between "leaving" and "closed"."""

    def stop(self, graceful: bool = True) -> None:
        if graceful and self.WORKERS:
            self.kill_workers(signal.SIGUSR2)
            time.sleep(self.app.settings.drain_s)
        super().stop(graceful)


class Server(BaseApplication):
    """One service as a gunicorn application, configured by its settings and by nothing else.

    factory: where `create_app(settings)` is, as "module:function".
    """

    def __init__(self, factory: str, settings: ChassisSettings) -> None:
        self.factory, self.settings = factory, settings
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": 1,
            "worker_class": PatientWorker,
            "threads": settings.threads,
            "worker_connections": _most_connections(),
            "limit_request_line": 8190,  # the gateway takes 8 kB, and what it takes is no error here
            "sendfile": False,  # it would wait for the client
            "keepalive": 75,  # longer than the gateway and our clients keep an idle connection
            "graceful_timeout": settings.graceful_timeout_s,
            "timeout": 30,
            "control_socket_disable": True,
            "proc_name": f"souk-{settings.service}",
            "loglevel": "warning",
            "worker_tmp_dir": _memory_folder(),
            "pre_fork": lambda _server, _worker: gc.freeze(),  # the collector would write to the shared pages
            "post_worker_init": _start_worker,
            "worker_exit": _stop_worker,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from chassis.telemetry import configure_logging

        configure_logging(self.settings.service, self.settings.log_level)
        module, _, function = self.factory.partition(":")
        # Nothing of what an import makes is garbage: collecting meanwhile, or ever, only costs time.
        gc.disable()
        app = getattr(importlib.import_module(module), function)(self.settings)
        gc.freeze()
        gc.enable()
        return app

    def run(self) -> None:
        _check_that_port_is_free(self.settings)
        _check_who_is_there(self.settings)
        DrainingArbiter(self).run()


def serve(factory: str, settings: ChassisSettings) -> None:
    """Serve what `factory` ("orders.app:create_app") makes, until SIGTERM. Does not return."""
    Server(factory, settings).run()


def _most_connections() -> int:
    """As many as this process may have files open, less what it needs itself; never more than 2,000."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != most:
        files = most if most != resource.RLIM_INFINITY else 65_536
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return min(2000, files - 200)


def _memory_folder() -> str | None:
    """Where gunicorn keeps the heartbeat file, whose name it makes by mkstemp; None: where it likes."""
    folder = Path("/dev/shm")  # nosec B108
    return str(folder) if folder.is_dir() else None


def _check_that_port_is_free(settings: ChassisSettings) -> None:
    """gunicorn would try for five seconds, with a stack of lines; this says it in one."""
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        sys.exit(f"{settings.service}: cannot listen on {settings.host}:{settings.port}: {error.strerror}")


def _check_who_is_there(settings: ChassisSettings) -> None:
    """A file of instances that cannot be read would end the worker with a stack of lines; this says it in one."""
    if urlsplit(settings.discovery_url).scheme == "static":
        from chassis.discovery import make_discovery  # the master has no other use for it

        try:
            make_discovery(settings.discovery_url).close()
        except ValueError as error:
            sys.exit(f"{settings.service}: DISCOVERY_URL: {error}")


def _start_worker(worker: Any) -> None:
    from chassis.worker import start

    start(worker)


def _stop_worker(_server: Any, worker: Any) -> None:
    from chassis.worker import stop

    stop(worker)
