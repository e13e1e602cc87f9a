"""Build, start, wait until all is healthy; or say in one line what is not, and leave nothing half-started."""

import os
import re
import time

from deploy.compose import preflight
from deploy.compose.commands import Refused, containers, last_line, run, show

LONGEST_S = 180
LOOK_S = 0.5
# One end may be bad luck; the second within a start is a loop.
RESTARTS_TOO_MANY = 2
# A server that cannot start says why, and then much else.
REASON = re.compile("error|fatal|fail|cannot|refused|denied|wrong|missing", re.IGNORECASE)


def up() -> None:
    """Build the images and start all; back when all are healthy. Raises Refused, and stops what it started."""
    preflight.check()
    print("building the images", flush=True)
    if show("compose", "build", "--quiet"):
        raise Refused("an image could not be built: see above")
    ran_before = any(one["State"] == "running" for one in containers())
    print("starting the containers", flush=True)
    began = time.monotonic()
    try:
        started = run("compose", "--progress", "quiet", "up", "--detach", "--remove-orphans")
        if started.returncode:
            raise Refused(_culprit() or last_line(started.stderr))
        _wait(began + LONGEST_S)
    except BaseException:
        if not ran_before:
            show("compose", "--progress", "quiet", "down", "--remove-orphans")
        raise
    print(
        f"all healthy after {time.monotonic() - began:.0f} s: http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}"
    )


def down() -> None:
    """Stop and remove all containers and networks; the volumes stay."""
    if show("compose", "--progress", "quiet", "--profile", "*", "down", "--remove-orphans"):
        raise Refused("docker compose could not stop it: see above")


def _wait(deadline: float) -> None:
    while waiting := [one for one in containers() if not _well(one)]:
        if failed := _culprit():
            raise Refused(failed)
        if time.monotonic() > deadline:
            names = ", ".join(sorted({one["Service"] for one in waiting}))
            raise Refused(f"not healthy after {LONGEST_S} s: {names}; `docker compose logs` says more")
        time.sleep(LOOK_S)


def _well(one: dict) -> bool:
    if one["State"] == "exited":
        return one["ExitCode"] == 0
    return one["State"] == "running" and one["Health"] in ("", "healthy")


def _culprit() -> str | None:
    """The container that has failed and what it said at last; None while none has."""
    for one in containers():
        if (one["State"] == "exited" and one["ExitCode"]) or one["Health"] == "unhealthy" or _loops(one):
            logs = run("logs", "--tail", "50", one["ID"])
            return f"{one['Service']} does not start: {_reason(logs.stdout + logs.stderr)}"
    return None


def _loops(one: dict) -> bool:
    if one["State"] != "restarting":
        return False
    asked = run("inspect", "--format", "{{.RestartCount}}", one["ID"])
    return int(asked.stdout.strip() or 0) >= RESTARTS_TOO_MANY


def _reason(said: str) -> str:
    line = last_line("\n".join(line for line in said.splitlines() if REASON.search(line)) or said)
    if "password authentication failed" in line:
        return (
            f"{line} -- the data was made with another password than the one that is now in secrets-postgres: put the "
            "old one back, or remove data and passwords together (docker compose down --volumes)"
        )
    return line
