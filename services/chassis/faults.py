"""Breaking things on purpose: delays, errors, hangs and deaths at named points, set over HTTP while it runs.

Off unless FAULTS_ENABLED is true, which production never sets; then the routes do not even exist. The named
points, in the order in which an event meets them:

    outbox.written    the event stands beside its change, nothing is committed
    outbox.committed  both are committed, nobody has heard of it
    outbox.claimed    the emitter has claimed deliveries, nothing is sent
    inbox.received    the consumer has the event, nothing is done
    inbox.recorded    the consumer has noted that it has it, nothing is committed
    inbox.handled     the consumer has committed, the emitter does not know
    outbox.sent       the emitter knows, and has not recorded it

A service names points of its own beside these when it calls `use_faults`.
"""

import os
import random
import signal
import time
from typing import Literal

from apiflask import APIBlueprint
from flask import Flask, current_app, request
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import InternalError, Unprocessable
from chassis.identity import requires_service
from chassis.openapi import answers, takes
from chassis.settings import ChassisSettings
from chassis.telemetry import log

POINTS = (
    "outbox.written", "outbox.committed", "outbox.claimed",
    "inbox.received", "inbox.recorded", "inbox.handled", "outbox.sent",
)  # fmt: skip

faults_routes = APIBlueprint("faults", __name__, url_prefix="/internal/faults")


class Fault(BaseModel):
    """What is broken in this process. `kill`: a point at which the process ends at once, as by SIGKILL."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["delay", "error", "hang", "kill"]
    ms: int = Field(default=500, ge=0, le=600_000)
    rate: float = Field(default=1.0, ge=0, le=1)
    point: str = "inbox.handled"


_active: Fault | None = None


def point(name: str) -> None:
    """A place between two steps where a death must lose nothing."""
    if _active is not None and _active.name == "kill" and _active.point == name:
        log.warning("killed on purpose", point=name, pid=os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)


def break_work() -> None:
    """Fail, wait or hang, if that was asked for. Raises InternalError."""
    if _active is None or random.random() >= _active.rate:
        return
    if _active.name == "error":
        raise InternalError("this error was asked for")
    if _active.name in ("delay", "hang"):
        time.sleep(_active.ms / 1000 if _active.name == "delay" else 3600)


def _break_request() -> None:
    if request.path.startswith(("/api/", "/events")):
        break_work()


@faults_routes.put("")
@requires_service()
@takes(Fault)
@answers(None, 204)
def arm(json_data: Fault) -> tuple[str, int]:
    """Break this process from now on. A point that does not exist is refused: nobody would die there."""
    global _active
    points: tuple[str, ...] = current_app.extensions["souk.points"]
    if json_data.point not in points:
        raise Unprocessable("there is no such point", errors=[{"field": "point", "message": ", ".join(points)}])
    _active = json_data
    log.warning("a fault is armed", fault=json_data.name)
    return "", 204


@faults_routes.delete("")
@requires_service()
@answers(None, 204)
def disarm() -> tuple[str, int]:
    """Everything works again, but for threads that hang."""
    global _active
    _active = None
    return "", 204


def use_faults(app: Flask, settings: ChassisSettings, *points: str) -> None:
    """Let this process be broken on purpose, if its settings allow that. points: those of the service alone."""
    if settings.faults_enabled:
        app.extensions["souk.points"] = POINTS + points
        app.register_blueprint(faults_routes)
        app.before_request(_break_request)
