"""gunicorn with our hooks: bind a free port, fork, register what was bound; drain and leave before the end.

One worker process with threads; more capacity is more replicas. gunicorn on SIGTERM closes its listeners first,
which would refuse the requests of everybody who has not yet heard that this instance leaves. So `DrainingArbiter`
takes the signal before it: the worker deregisters and goes on accepting for DRAIN_S, then gunicorn stops.
"""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from chassis.background import Background
from chassis.registration import Registrar, Registration
from chassis.settings import ChassisSettings
from chassis.telemetry import configure_logging, log
from chassis.web import is_ready

CreateApp = Callable[[Any], Flask]


class DrainingArbiter(Arbiter):
    """gunicorn's master, with a grace period between "leaving" and "closed"."""

    def stop(self, graceful: bool = True) -> None:
        if graceful and self.WORKERS:
            self.kill_workers(signal.SIGUSR2)
            time.sleep(self.app.settings.drain_s)
        super().stop(graceful)


class Server(BaseApplication):
    """One service as a gunicorn application, configured by its settings and by nothing else."""

    def __init__(self, create_app: CreateApp, settings: ChassisSettings) -> None:
        self.create_app, self.settings = create_app, settings
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": settings.threads,
            "worker_connections": 2000,
            "keepalive": 75,  # longer than the gateway and our clients keep an idle connection
            "graceful_timeout": settings.graceful_timeout_s,
            "timeout": 30,
            "preload_app": True,
            "control_socket_disable": True,
            "proc_name": f"souk-{settings.service}",
            "loglevel": "warning",
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: PTH112
            "post_worker_init": _start_worker,
            "worker_exit": _stop_worker,
            "post_fork": _forget_masters_connections,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = self.create_app(self.settings)
        # What is alive now stays alive: the collector leaves these pages alone, and the fork shares them.
        gc.collect()
        gc.freeze()
        return app

    def run(self) -> None:
        _check_that_port_is_free(self.settings)
        DrainingArbiter(self).run()


def serve(create_app: CreateApp, settings: ChassisSettings) -> None:
    """Serve until SIGTERM. Does not return."""
    configure_logging(settings.service, settings.log_level)
    Server(create_app, settings).run()


def _check_that_port_is_free(settings: ChassisSettings) -> None:
    """gunicorn would try for five seconds, with a stack of lines; this says it in one."""
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        sys.exit(f"{settings.service}: cannot listen on {settings.host}:{settings.port}: {error.strerror}")


def _forget_masters_connections(_server: Any, worker: Any) -> None:
    database = worker.app.callable.extensions.get("souk.database")
    if database is not None:
        database.dispose()


def _start_worker(worker: Any) -> None:
    """Start what runs beside the requests, then register: from now on requests may come."""
    app: Flask = worker.app.callable
    settings: ChassisSettings = app.extensions["souk.settings"]
    host, port = worker.sockets[0].getsockname()[:2]
    app.extensions["souk.instance"] = instance = f"{settings.service}-{host}-{port}"
    for background in app.extensions["souk.background"]:
        background.start()
    registrar = _make_registrar(app, settings, instance, host, port)
    registrar.start()

    def drain(_signal: int, _frame: Any) -> None:
        app.extensions["souk.draining"] = True
        worker.max_keepalived = 0  # every answer now closes its connection: the next request goes elsewhere
        # Not in the signal handler itself: the registry may be slow, and the worker must go on accepting.
        threading.Thread(target=registrar.leave, name="leave", daemon=True).start()

    signal.signal(signal.SIGUSR2, drain)
    log.info("serving", instance=instance, pid=os.getpid())


def _make_registrar(app: Flask, settings: ChassisSettings, instance: str, host: str, port: int) -> Registrar:
    discovery = app.extensions["souk.calls"].discovery
    meta = {"version": settings.version, "prefix": settings.prefix}
    registration = Registration(instance, settings.service, host, port, meta=meta, ttl_s=settings.ttl_s)
    return Registrar(discovery, registration, settings.renewal_s, lambda: is_ready(app))


def _stop_worker(_server: Any, worker: Any) -> None:
    app: Flask = worker.app.callable
    backgrounds: list[Background] = app.extensions["souk.background"]
    for background in reversed(backgrounds):
        background.stop()
