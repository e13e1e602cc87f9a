"""Who notices a fault, and when: a look at the system from a thread of its own, while an arm goes on.

with Watch(arm, left_out(lab.system, victim), "the gateway leaves it out"):
    arm.wait(10)
"""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests

from loadtests.lab.errors import LoadBroke
from loadtests.lab.target import ask

if TYPE_CHECKING:
    from loadtests.lab.laboratory import Arm
    from loadtests.lab.system import System

PERIOD_S = 0.02
Look = Callable[[], bool | float]
"""Whether it is so; or, where that can be known only late, since when: seconds of the epoch."""


class Watch:
    """From `__enter__` to `__exit__`; the first time that the look is true becomes an event of the arm."""

    def __init__(self, arm: "Arm", look: Look, what: str, kind: str = "detected", period_s: float = PERIOD_S) -> None:
        self._arm, self._look, self._what, self._kind, self._period_s = arm, look, what, kind, period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen_s: float | None = None
        self._broken: Exception | None = None

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        if self._broken is not None:
            raise LoadBroke(f"nobody watched whether {self._what}: {self._broken!r}")
        if self.seen_s is not None:
            self._arm.event(self._kind, self._what, self.seen_s)

    def after(self, begin_s: float) -> float:
        """Seconds from a moment of the arm until it was seen; nan if it never was."""
        return math.nan if self.seen_s is None else self.seen_s - begin_s

    def _watch(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                if found := self._look():
                    late_s = 0.0 if found is True else time.time() - found
                    self.seen_s = self._arm.now_s - late_s
                    return
            except (OSError, ValueError, KeyError):
                continue  # what is looked at may be away just now, or half written
            except Exception as error:
                self._broken = error
                return


def left_out(system: "System", instance: str) -> Look:
    """Whether the gateway sends no request to this instance, by the configuration that nginx runs with."""
    _, host, port = instance.rsplit("-", 2)
    return system.place.left_out(f"{host}:{port}")


def all_listed(system: "System", service: str, count: int, without: str = "") -> Look:
    """Whether the registry lists so many healthy instances of a service; one that is named does not count."""
    return lambda: len(set(system.healthy(service)) - {without}) == count


def back(system: "System", service: str, count: int, victim: Mapping[str, Any]) -> Look:
    """Whether so many are healthy after the victim was killed: with another one, or with itself under its old name."""
    listed = all_listed(system, service, count, without="" if system.place.keeps_ids else victim["id"])
    if not system.place.keeps_ids:
        return listed

    def whole() -> bool:
        with suppress(requests.RequestException):
            url = f"http://{victim['address']}:{victim['port']}/readyz"
            return system.place.ask("GET", url, timeout=1.0).ok and listed()
        return False

    return again(whole)


def again(look: Look) -> Look:
    """Whether it is so, after it was not."""
    was_not = False

    def found() -> bool:
        nonlocal was_not
        holds = bool(look())
        was_not = was_not or not holds
        return holds and was_not

    return found


def answers(system: "System") -> Look:
    """Whether the registry answers at all."""

    def look() -> bool:
        with suppress(requests.RequestException):
            return ask("GET", f"{system.registry}/v1/status/leader", timeout=1.0).ok
        return False

    return look


def logged(system: "System", service: str, event: str) -> Look:
    """Whether a replica of the service has logged an event that begins so, since now."""
    lines = system.place.log_from_now(service)
    return lambda: any(_event(line).startswith(event) for line in lines())


def _event(line: bytes) -> str:
    with suppress(ValueError):
        found = json.loads(line)
        return str(found.get("event", "")) if isinstance(found, dict) else ""
    return ""


def counted(system: "System", service: str, metric: str) -> float:
    """The sum of a metric over a service's healthy instances. metric: how its lines begin, labels and all."""
    found = ask("GET", f"{system.registry}/v1/health/service/{service}?passing").json()
    total = 0.0
    for address in (f"http://{row['Service']['Address']}:{row['Service']['Port']}" for row in found):
        lines = system.place.ask("GET", f"{address}/metrics").text.splitlines()
        total += sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))
    return total


def until(look: Look, within_s: float) -> float:
    """Wait until the look is true; the seconds that it took. Raises TimeoutError."""
    began = time.monotonic()
    while time.monotonic() < began + within_s:
        with suppress(OSError, ValueError, KeyError):
            if look():
                return time.monotonic() - began
        time.sleep(PERIOD_S)
    raise TimeoutError(f"not within {within_s:g} s")
