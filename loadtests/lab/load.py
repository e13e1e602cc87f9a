"""A load beside an experiment: `loadtests.generator` as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from loadtests.arrivals import Kind
from loadtests.lab.errors import LoadBroke
from loadtests.shapes import Profile

END_WITHIN_S = 60
Mix = Mapping[str, float]


class Loadable(Protocol):
    """What a load has to know of a system."""

    url: str
    registry: Any
    keys: Any


@dataclass(frozen=True)
class Open:
    """Journeys that begin on schedule, whatever became of those before: `rate` a second, or a profile of rates.

    mix: journeys of `loadtests.steps` and their weights. direct: how journeys that call instances directly pick one.
    """

    rate: float | Profile
    mix: Mix
    arrivals: Kind = "poisson"
    customers: int = 8
    skus: int = 100
    direct: str = "p2c"

    def words(self) -> dict[str, object]:
        return {"profile": self.rate, "arrivals": self.arrivals, "customers": self.customers} | _common(self)


@dataclass(frozen=True)
class Closed:
    """So many users, each with its next journey once the last one has ended and it has thought (seconds, from-to)."""

    users: int
    mix: Mix
    think_s: tuple[float, float] = (0.0, 0.0)
    skus: int = 100
    direct: str = "p2c"

    def words(self) -> dict[str, object]:
        return {"users": self.users, "think": "-".join(f"{s:g}" for s in self.think_s)} | _common(self)


def _common(load: Open | Closed) -> dict[str, object]:
    mix = ",".join(f"{journey}={weight:g}" for journey, weight in load.mix.items())
    return {"mix": mix, "skus": load.skus, "strategy": load.direct}


@dataclass
class Generator:
    """From `start` to `stop`; `began` (monotonic clock) is when the load began, `about` what it says of itself."""

    system: Loadable
    load: Open | Closed
    seed: int
    out: Path
    began: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Returns when the customers are signed in and the load begins. Raises LoadBroke."""
        words = self.load.words() | {"host": self.system.url, "seed": self.seed, "out": self.out}
        if self.system.registry is not None:
            words |= {"registry": self.system.registry, "keys": self.system.keys}
        command = [sys.executable, "-m", "loadtests.generator"]
        command += [word for name, value in words.items() for word in (f"--{name}", str(value))]
        pipe = subprocess.PIPE
        # In a session of its own: Ctrl-C is meant for us, who end it in order.
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        try:
            first = self._process.stdout.readline()
        except BaseException:  # Ctrl-C while customers sign in
            self._process.kill()
            self._process.communicate()
            raise
        if not first:
            _, said = self._process.communicate()
            raise LoadBroke(f"the load did not begin: {(said.strip().splitlines() or ['no reason'])[-1]}")
        self.began = json.loads(first)["began"]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, and wait until what is under way is done. Raises LoadBroke when it had died."""
        try:
            said, problems = self._process.communicate(timeout=END_WITHIN_S)  # the end of its input tells it to stop
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        if self._process.returncode:
            raise LoadBroke(f"the generator ended with {self._process.returncode}: {problems.strip()[-300:]}")
        self.about = json.loads(said.splitlines()[-1])
