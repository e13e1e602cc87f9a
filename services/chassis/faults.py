"""Breaking things on purpose: delays, errors, hangs and deaths at named points, set over HTTP while it runs.

Off unless FAULTS_ENABLED is true, which production never sets; then the routes do not even exist. The named
points, in the order in which an event meets them:

    outbox.claimed    the emitter has claimed deliveries, nothing is sent
    inbox.received    the consumer has the event, nothing is done
    inbox.handled     the consumer has committed, the emitter does not know
    outbox.sent       the emitter knows, and has not recorded it
"""

import os
import random
import signal
import time
from typing import Literal

from apiflask import APIBlueprint
from flask import Flask, request
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import InternalError
from chassis.identity import requires_service
from chassis.settings import ChassisSettings
from chassis.telemetry import log

faults_routes = APIBlueprint("faults", __name__, url_prefix="/internal/faults")


class Fault(BaseModel):
    """What is broken in this process. `kill`: a point at which the process ends at once, as by SIGKILL."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["delay", "error", "hang", "kill"]
    ms: int = Field(default=500, ge=0, le=600_000)
    rate: float = Field(default=1.0, ge=0, le=1)
    point: Literal["outbox.claimed", "inbox.received", "inbox.handled", "outbox.sent"] = "inbox.handled"


_active: Fault | None = None


def point(name: str) -> None:
    """A place between two steps where a death must lose nothing."""
    if _active is not None and _active.name == "kill" and _active.point == name:
        log.warning("killed on purpose", point=name)
        os.kill(os.getpid(), signal.SIGKILL)


def _break_request() -> None:
    if _active is None or not request.path.startswith(("/api/", "/events")) or random.random() >= _active.rate:
        return
    if _active.name == "error":
        raise InternalError("this error was asked for")
    if _active.name in ("delay", "hang"):
        time.sleep(_active.ms / 1000 if _active.name == "delay" else 3600)


@faults_routes.put("")
@requires_service()
@faults_routes.input(Fault)
def arm(json_data: Fault) -> tuple[str, int]:
    """Break this process from now on."""
    global _active
    _active = json_data
    log.warning("a fault is armed", fault=json_data.name)
    return "", 204


@faults_routes.delete("")
@requires_service()
def disarm() -> tuple[str, int]:
    """Everything works again, but for threads that hang."""
    global _active
    _active = None
    return "", 204


def use_faults(app: Flask, settings: ChassisSettings) -> None:
    """Let this process be broken on purpose, if its settings allow that."""
    if settings.faults_enabled:
        app.register_blueprint(faults_routes)
        app.before_request(_break_request)
