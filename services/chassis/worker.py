"""What a worker does beside answering: background work, its registration, and leaving when it is told to."""

import os
import signal
import threading
from typing import Any

from flask import Flask

from chassis.address import reachable
from chassis.background import Background
from chassis.discovery import Discovery
from chassis.registration import Registrar, Registration
from chassis.settings import ChassisSettings
from chassis.telemetry import log
from chassis.web import is_ready


def start(worker: Any) -> None:
    """Start what runs beside the requests, then register: from now on requests may come."""
    app: Flask = worker.app.callable
    settings: ChassisSettings = app.extensions["souk.settings"]
    bound, port = worker.sockets[0].getsockname()[:2]
    host = reachable(settings, bound)
    app.extensions["souk.instance"] = instance = f"{settings.service}-{host}-{port}"
    for background in app.extensions["souk.background"]:
        background.start()
    discovery: Discovery = app.extensions["souk.calls"].discovery
    registration = make_registration(settings, instance, host, port)
    registrar = Registrar(discovery, registration, settings.renewal_s, lambda: is_ready(app))
    registrar.start()

    def drain(_signal: int, _frame: Any) -> None:
        app.extensions["souk.draining"] = True
        worker.max_keepalived = 0  # every answer now closes its connection: the next request goes elsewhere
        # Not in the signal handler itself: the registry may be slow, and the worker must go on accepting.
        threading.Thread(target=leave, name="leave", daemon=True).start()

    def leave() -> None:
        if (consumer := app.extensions.get("souk.consumer")) is not None:
            consumer.drain()
        registrar.leave()

    signal.signal(signal.SIGUSR2, drain)
    log.info("serving", instance=instance, pid=os.getpid())


def stop(worker: Any) -> None:
    """Let background work end; what it had begun is finished or begun anew by another replica."""
    app: Flask | None = worker.app.callable
    if app is None:  # it never came up
        return
    backgrounds: list[Background] = app.extensions["souk.background"]
    for background in reversed(backgrounds):
        background.stop()


def make_registration(settings: ChassisSettings, instance: str, host: str, port: int) -> Registration:
    """What this instance tells the registry."""
    meta = {"version": settings.version, "prefix": settings.prefix, "threads": str(settings.threads)}
    return Registration(instance, settings.service, host, port, meta=meta, ttl_s=settings.ttl_s, weight=settings.weight)
