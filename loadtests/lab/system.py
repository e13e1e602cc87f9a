"""The system under test: one of our own, in a place of its own; no running shop is disturbed.

It is driven by the `souk` command line, as its user drives it. What is changed (replicas, faults, the bank, live
settings) is noted, and `restore` puts it back.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from requests import RequestException

from loadtests.lab.errors import CannotRun, LoadBroke
from loadtests.lab.place import Place
from loadtests.lab.processes import Processes
from loadtests.lab.target import ask

SOUK = Path(sys.executable).with_name("souk")
PATIENCE_S = 240
RELOAD_S = 2.0
BANK = {"latency_ms": 0, "failure_rate": 0.0, "decline_rate": 0.0, "away": False, "answer_after_ms": 0}
# What the caller's shell says about its own system would lead ours astray.
NOT_OURS = (
    "DISCOVERY_URL", "FLEET_FILE", "SERVICES_DIR", "DATABASE_URL", "REDIS_URL", "PORT",
    "COMPOSE_FILE", "COMPOSE_PROFILES",
)  # fmt: skip


class System:
    """Not started before `up`. Every command raises LoadBroke with what `souk` said."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Processes()
        self.url, self.registry = self.place.url, self.place.registry
        self._env = {name: value for name, value in os.environ.items() if name not in NOT_OURS} | dict(
            self.place.environment
        )
        self.settings: dict[str, str] | None = None  # those that it runs with; None: it does not run
        self.described: dict[str, Any] = {}  # how it was when it was last started, for environment.json
        self._replicas: dict[str, int] = {}
        self._forget()
        # If we are killed, the pipe breaks, and somebody still tidies up.
        words = ["sh", "-c", 'read _ || "$1" $2; rm -rf "$0"', str(self.place.home), str(SOUK)]
        words.append(" ".join(self.place.wipe))
        quiet = subprocess.DEVNULL
        self._heir = subprocess.Popen(
            words, env=self._env, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )

    @property
    def keys(self) -> Path:
        return self.place.keys

    # ---- its life

    def runs_with(self, settings: Mapping[str, str]) -> bool:
        return self.settings == dict(settings)

    def up(self, settings: Mapping[str, str]) -> None:
        """Start it with these environment variables, if it does not run with the very same already."""
        if self.runs_with(settings):
            return
        if self.settings is not None:
            self.down()
        self._run("up", "--detach", extra=self.place.started_with(settings))
        self.settings = dict(settings)
        self._replicas = self._count()
        self.described = self.place.about()

    def down(self) -> None:
        self.settings = None
        self._forget()
        self._run("down")

    def close(self) -> None:
        """Take it down and remove its home, whatever state it is in."""
        with suppress(LoadBroke):
            self.settings = None
            self._run(*self.place.wipe)
        with suppress(OSError):
            self._heir.communicate(b"all is done\n")

    # ---- what an experiment does to it

    def scale(self, **counts: int) -> None:
        self._scaled |= set(counts)
        self._run("scale", *(f"{service}={count}" for service, count in counts.items()))

    def kill(self, service: str, *options: str) -> None:
        """`souk kill`, with its options, such as `"--signal", "STOP"`."""
        if "STOP" in options:
            self._stopped = True
        self._run("kill", service, *options)

    def fault(self, service: str, name: str, *, instance: str | None = None, **values: object) -> None:
        """`souk fault`: delay, error, hang or kill, or `off`."""
        self._faulty.add(service)
        which = ("--instance", instance) if instance else ()
        self._run("fault", service, name, *_pairs(values), *which)

    def bank(self, **values: object) -> None:
        self._bank_changed = True
        self._run("bank", *_pairs(values))

    def set(self, key: str, value: str) -> None:
        """A live setting, such as `gateway/cache`, `off`."""
        self._keys.add(key)
        self._run("set", key, value)

    def balance(self, service: str, strategy: str) -> None:
        """How the gateway spreads a service's requests; returns when its nginx goes by it."""
        conf, before = self.place.gateway_conf(), self.place.reloads()
        self.set(f"gateway/balancing/{service}", strategy)
        deadline = time.monotonic() + RELOAD_S
        # What is in force already reloads nothing.
        while self.place.reloads() == before and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.place.gateway_conf() == conf and strategy != "round_robin":
            raise LoadBroke(f"the gateway does not take {strategy!r} for {service}")

    def restart(self, service: str) -> None:
        self._run("restart", service)

    def power_cut(self, rows: list[dict[str, Any]]) -> None:
        """Everything dies at once; `up` starts it again. rows: those of `instances`, asked for before."""
        self.place.power_cut(rows)
        self.settings = None

    def restore(self) -> None:
        """Put back what was changed; a system that cannot be put back is taken down, and the next one starts fresh."""
        if self.settings is None:
            return
        try:
            if self._stopped:
                raise LoadBroke("somebody may stand still")
            for service in self._faulty:
                self._run("fault", service, "off")
            if self._bank_changed:
                self._run("bank", *_pairs(BANK))
            for key in self._keys:
                ask("DELETE", f"{self.registry}/v1/kv/souk/{key}")
            if counts := {service: self._replicas[service] for service in self._scaled}:
                self.scale(**counts)
            self._forget()
        except (LoadBroke, OSError):
            self.down()

    @contextmanager
    def restored(self) -> Iterator["System"]:
        """Everything that is changed inside is put back, however the block ends."""
        try:
            yield self
        finally:
            self.restore()

    # ---- what it says about itself

    def instances(self, service: str | None = None) -> list[dict[str, Any]]:
        """The rows of `souk status --json`, of one service or all."""
        rows: list[dict[str, Any]] = json.loads(self._run("status", "--json"))["instances"]
        return [row for row in rows if service in (None, row["service"])]

    def healthy(self, service: str) -> list[str]:
        """The ids of the instances that the registry calls passing. Raises requests.RequestException."""
        found = ask("GET", f"{self.registry}/v1/health/service/{service}?passing").json()
        return [row["Service"]["ID"] for row in found]

    def counters(self, service: str, name: str, timeout_s: float = 5.0, **labels: str) -> dict[str, float]:
        """A Prometheus counter of each healthy instance, summed over the labels that are not given.

        An instance that does not answer in time is not in it. Raises requests.RequestException without a registry.
        """
        rows = [row["Service"] for row in ask("GET", f"{self.registry}/v1/health/service/{service}?passing").json()]

        def one(row: Mapping[str, Any]) -> float | None:
            try:
                text = self.place.ask("GET", f"http://{row['Address']}:{row['Port']}/metrics", timeout=timeout_s).text
            except RequestException:
                return None
            samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
            return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

        with ThreadPoolExecutor(max(1, len(rows))) as pool:  # at once, so that a slow one costs its own time only
            found = zip(rows, pool.map(one, rows), strict=True)
            return {row["ID"]: value for row, value in found if value is not None}

    def audit(self, within_s: float = 60) -> dict[str, Any]:
        """`souk audit`: {"clean": true, false, or null if it could not be checked, "findings": [lines]}."""
        done = self._souk("audit", "--within", str(within_s))
        lines = (done.stdout + done.stderr).splitlines()
        clean = {0: True, 1: False}.get(done.returncode)
        return {"clean": clean, "findings": [] if clean else lines}

    def operator(self, method: str, path: str, **options: Any) -> Any:
        """A request of the seeded operator, through the gateway. Raises LoadBroke for an error."""
        token = self._run("token", "operator@souk.example").strip()
        answer = ask(method, self.url + path, headers={"Authorization": f"Bearer {token}"}, **options)
        if answer.status_code >= 400:
            raise LoadBroke(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    # ---- how

    def _count(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self.instances():
            counts[row["service"]] = counts.get(row["service"], 0) + 1
        return counts

    def _forget(self) -> None:
        self._scaled: set[str] = set()
        self._faulty: set[str] = set()
        self._keys: set[str] = set()
        self._bank_changed = self._stopped = False

    def _run(self, *words: str, extra: Mapping[str, str] | None = None) -> str:
        done = self._souk(*words, extra=extra)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            problem = CannotRun if words[0] == "up" else LoadBroke
            raise problem(f"`souk {shlex.join(words)}` ended with {done.returncode}: {said}")
        return done.stdout

    def _souk(self, *words: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        # In a session of its own: Ctrl-C is meant for us, and what was begun must not be left half done.
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [SOUK, *words], env=self._env | dict(extra or {}), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
            text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                stdout, stderr = process.communicate(timeout=PATIENCE_S)
            except BaseException:
                process.terminate()  # it tidies up what it began
                raise
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def _pairs(values: Mapping[str, object]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]
