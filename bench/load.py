"""An open-loop load beside a system: `loadtests.openloop` as a process of its own.

with OpenLoad(system, rate=40, mix="page=6,look=2,order=1") as load:
    before = load.span(10)            # seconds; returns (begin, end) on the monotonic clock
    during = load.during(lambda: system.souk("kill", "catalog"), at_least_s=10)
samples = load.samples
samples.between(*during).failed
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.system import PROJECT, System
from loadtests.samples import Samples

Span = tuple[float, float]
WARM_UP_S = 3.0
END_WITHIN_S = 60


class OpenLoad:
    """Sends from `__enter__` to `__exit__`; after that `samples` is all of it, and `about` the generator itself."""

    def __init__(
        self, system: System, rate: float, mix: str, *, seed: int = 1, warm_up_s: float = WARM_UP_S, **options: object
    ) -> None:
        self.out = system.home / "run" / f"samples-{time.monotonic_ns()}.jsonl"
        self._warm_up_s = warm_up_s
        values = {"host": system.gateway, "rate": rate, "mix": mix, "seed": seed, "out": self.out, **options}
        self._words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
        self.samples = Samples([])
        self.about: dict[str, Any] = {}

    def __enter__(self) -> "OpenLoad":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.openloop", *self._words], cwd=PROJECT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self._process.kill()
            raise AssertionError(f"the load did not begin: exit code {self._process.wait()}")
        time.sleep(self._warm_up_s)
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            said, _ = self._process.communicate(timeout=END_WITHIN_S)  # the end of its input tells it to stop
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        self.about = json.loads(said.splitlines()[-1]) if said.strip() else {}
        self.samples = Samples.read(self.out)

    def span(self, seconds: float) -> Span:
        """Let the load run for so long."""
        begin = time.monotonic()
        time.sleep(seconds)
        return begin, time.monotonic()

    def during(self, work: Callable[[], object], at_least_s: float = 0.0) -> Span:
        """The span in which `work` was done, and what followed until `at_least_s` were over."""
        begin = time.monotonic()
        work()
        time.sleep(max(0.0, begin + at_least_s - time.monotonic()))
        return begin, time.monotonic()
