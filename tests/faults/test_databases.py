"""Databases that are locked, read-only, on a full disk or broken off: clear 503s, no 500, and then full service again.

Nobody is restarted for that. The databases and the logs lie on small disks of their own.
"""

import itertools
import os
import pwd
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import make_url

from bench.combined import KEEPERS
from bench.customer import Customer
from bench.system import System, eventually
from chassis.testing_postgres import postgres_database, postgres_server

pytestmark = [pytest.mark.faults, pytest.mark.system, pytest.mark.xdist_group("disks"), pytest.mark.timeout(400)]

LOCKED_S = 5.0
AGAIN_S = 30.0  # breakers close, back-offs end, claims run out
SKU = "SOUK-000080"

Probe = Callable[[Customer], requests.Response]


_numbers = itertools.cycle(range(1, 100))


def _another() -> int:
    """Another number than the last time: what changes nothing is not written."""
    return next(_numbers)


def _put_product(operator: Customer) -> requests.Response:
    body = {"name": "A lamp", "category": "lamps", "price_cents": 900}
    return operator.ask("PUT", f"/api/catalog/products/SOUK-{uuid.uuid4().hex[:12].upper()}", json=body)


WRITES: dict[str, Probe] = {
    "accounts": lambda c: c.ask("POST", "/api/accounts/tokens", json={"email": c.email, "password": c.password}),
    "carts": lambda c: c.ask("PUT", f"/api/carts/mine/items/{SKU}", json={"quantity": _another()}),
    "catalog": _put_product,
    "inventory": lambda c: c.ask("PUT", "/api/inventory/stock/SOUK-000081", json={"on_hand": _another()}),
    "orders": lambda c: c.place({SKU: 1}),
}
READS: dict[str, Probe] = {
    "accounts": lambda c: c.ask("GET", "/api/accounts/me"),
    "carts": lambda c: c.ask("GET", "/api/carts/mine"),
    "catalog": lambda c: c.ask("GET", "/api/catalog/products", params={"q": uuid.uuid4().hex}),  # in no cache
    "inventory": lambda c: c.ask("GET", f"/api/inventory/stock/{SKU}"),
    "notifications": lambda c: c.ask("GET", "/api/notifications"),
    "orders": lambda c: c.ask("GET", "/api/orders"),
    "payments": lambda c: c.ask("GET", f"/api/payments/{uuid.uuid4()}"),
}
BY_OPERATOR = (WRITES["catalog"], WRITES["inventory"])


@dataclass(frozen=True)
class Sample:
    """One request and its answer. began, ended: on the monotonic clock, in seconds."""

    service: str
    writes: bool
    began: float
    ended: float
    answer: requests.Response

    @property
    def served(self) -> bool:
        return self.answer.status_code < 300 or (self.service == "payments" and self.answer.status_code == 404)

    @property
    def said(self) -> str:
        return f"{self.service} {'write' if self.writes else 'read'}: {self.answer.status_code} {self.answer.text}"


class Probing:
    """Writes to and reads from every service, each in a thread of its own, for as long as the context lasts."""

    def __init__(self, shop: System) -> None:
        self.samples: list[Sample] = []
        self._stopping = threading.Event()
        self._threads = []
        for probes in (WRITES, READS):
            for service, probe in probes.items():
                who = shop.operator() if probe in BY_OPERATOR else shop.customer()
                self._threads.append(threading.Thread(target=self._run, args=(service, probe, who)))

    def __enter__(self) -> "Probing":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, service: str, probe: Probe, who: Customer) -> None:
        while not self._stopping.wait(0.2):
            began = time.monotonic()
            answer = probe(who)
            self.samples.append(Sample(service, probe in WRITES.values(), began, time.monotonic(), answer))

    def between(self, began: float, ended: float) -> list[Sample]:
        """The samples that lie wholly in this stretch of time."""
        return [sample for sample in self.samples if began <= sample.began and sample.ended <= ended]

    def wait_for_all(
        self,
        wanted: Callable[[Sample], bool],
        writes: Iterable[str] = tuple(WRITES),
        reads: Iterable[str] = tuple(READS),
    ) -> None:
        """Until the newest answer to each of these writes and reads is as wanted."""
        began = time.monotonic()
        kinds = {(service, True) for service in writes} | {(service, False) for service in reads}

        def newest() -> dict[tuple[str, bool], Sample]:
            return {(s.service, s.writes): s for s in list(self.samples) if s.began > began}

        def all_wanted() -> bool:
            return all(kind in newest() and wanted(newest()[kind]) for kind in kinds)

        eventually(all_wanted, lambda: [newest()[kind].said for kind in kinds & newest().keys()], AGAIN_S)


def exceptions(shop: System) -> str:
    """What went wrong inside, from the logs of all services; not what was answered as agreed."""
    found = {line["exception"] for name in KEEPERS for line in shop.logs(name) if "exception" in line}
    return "\n".join(text for text in found if "chassis.errors.Unavailable" not in text.splitlines()[-1])


def check_it_recovers(shop: System, probing: Probing, workers: set[int]) -> None:
    """Full service, by the same processes; no answer was ever a 500, and every order that was taken ends."""
    probing.wait_for_all(lambda sample: sample.served)
    began = time.monotonic()
    time.sleep(3)
    assert [s.said for s in probing.between(began, time.monotonic()) if not s.served] == []
    refused = [sample for sample in probing.samples if not sample.served]
    assert {sample.said for sample in refused if sample.answer.status_code != 503} == set(), exceptions(shop)
    assert all(int(sample.answer.headers["Retry-After"]) >= 1 for sample in refused)
    assert worker_pids(shop) == workers
    operator = shop.operator()
    for sample in probing.samples:
        if sample.answer.status_code == 202:
            operator.follow(sample.answer)
    assert "0 findings" in shop.audit()


def check_only_writes_are_refused(samples: list[Sample], services: Iterable[str], says: str) -> None:
    assert [s.said for s in samples if not s.writes and not s.served] == []
    refused = [s for s in samples if s.writes and not s.served]
    assert {s.service for s in refused} >= set(services)
    assert [s.said for s in refused if says not in s.answer.json()["detail"]] == []


def worker_pids(shop: System) -> set[int]:
    return {line["pid"] for name in KEEPERS for line in shop.logs(name) if line["event"] == "serving"}


# ---- SQLite


@dataclass(frozen=True)
class Disks:
    """A running system: its databases on one small disk, its logs and the keys that it keeps on another."""

    shop: System
    databases: Path
    logs: Path


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    databases, logs = tmp_path_factory.mktemp("databases"), tmp_path_factory.mktemp("logs")
    urls = {f"{name.upper()}__DATABASE_URL": f"sqlite:///{databases}/{name}.db" for name in KEEPERS}
    with small_disk(databases), small_disk(logs), System(**urls) as system:
        for name in ("logs", "cache"):
            (logs / name).mkdir()
            (system.home / name).symlink_to(logs / name)
        yield Disks(system.up(), databases, logs)


@contextmanager
def small_disk(folder: Path, owner: str = "root") -> Iterator[None]:
    """A file system of 64 MiB of its own, in memory. Skips the test where we may not mount one."""
    options = f"size=64m,mode=700,uid={pwd.getpwnam(owner).pw_uid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "souk-test", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk to be had: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left on the disk of this folder."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(65536))
        yield
    finally:
        ballast.unlink()


@pytest.mark.slow
def test_sqlite_locked_by_somebody_else(disks: Disks) -> None:
    workers = worker_pids(disks.shop)
    with Probing(disks.shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        lockers = [sqlite3.connect(disks.databases / f"{name}.db", isolation_level=None) for name in KEEPERS]
        for locker in lockers:
            locker.execute("PRAGMA busy_timeout=10000")
            locker.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        time.sleep(LOCKED_S)
        held = probing.between(began, time.monotonic())
        for locker in lockers:
            locker.execute("ROLLBACK")
            locker.close()
        assert [s.said for s in held if s.writes and s.served] == []
        assert [s.said for s in held if not s.writes and not s.served] == []
        check_it_recovers(disks.shop, probing, workers)


def test_sqlite_read_only(disks: Disks) -> None:
    shop = disks.shop
    probing = Probing(shop)
    # The kernel lets a disk become read-only only while nobody has a file open for writing.
    for row in shop.instances():
        if row["service"] in KEEPERS:
            os.killpg(row["pid"], signal.SIGKILL)
    eventually(lambda: remount(disks.databases, "ro"), within_s=5)
    with probing:
        try:
            probing.wait_for_all(lambda sample: sample.served != sample.writes)
            workers, began = worker_pids(shop), time.monotonic()
            time.sleep(4)
            check_only_writes_are_refused(probing.between(began, time.monotonic()), WRITES, "read-only")
        finally:
            remount(disks.databases, "rw")
        check_it_recovers(shop, probing, workers)


def test_sqlite_on_a_full_disk(disks: Disks) -> None:
    shop, workers = disks.shop, worker_pids(disks.shop)
    with Probing(shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        for name in KEEPERS:  # the next write needs new room: SQLite's log would overwrite itself for a while
            with closing(sqlite3.connect(disks.databases / f"{name}.db", timeout=10)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with full(disks.databases):
            began = time.monotonic()
            probing.wait_for_all(lambda sample: not sample.served, WRITES, reads=())
            time.sleep(5)
            during = probing.between(began, time.monotonic())
        check_only_writes_are_refused(during, WRITES, "full")
        check_it_recovers(shop, probing, workers)


def test_no_room_for_logs_and_kept_keys(disks: Disks) -> None:
    shop, workers = disks.shop, worker_pids(disks.shop)
    with Probing(shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        with full(disks.logs):
            began = time.monotonic()
            shop.souk("keys", "rotate")
            time.sleep(5)
            during = probing.between(began, time.monotonic())
        assert [s.said for s in during if not s.served] == []
        check_it_recovers(shop, probing, workers)


def remount(folder: Path, how: str) -> bool:
    return subprocess.run(["mount", "-o", f"remount,{how}", folder], capture_output=True, check=False).returncode == 0


# ---- PostgreSQL


@dataclass(frozen=True)
class Server:
    """A running system on PostgreSQL. urls: of each service's database; that of orders lies on a small disk."""

    shop: System
    urls: dict[str, str]
    disk: Path

    def tell(self, service: str, *statements: str) -> None:
        with psycopg.connect(self.urls[service], autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as url, ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="souk-disk-")))
        stack.enter_context(small_disk(disk, owner="postgres"))
        urls = {name: stack.enter_context(postgres_database(url)) for name in KEEPERS}
        system = stack.enter_context(System(**{f"{name.upper()}__DATABASE_URL": url for name, url in urls.items()}))
        server = Server(system, urls, disk)
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
            connection.execute(f'ALTER DATABASE "{make_url(urls["orders"]).database}" SET TABLESPACE small')
        system.up()
        yield server


@pytest.mark.slow
def test_postgresql_locked_by_somebody_else(server: Server) -> None:
    workers = worker_pids(server.shop)
    with Probing(server.shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        with psycopg.connect(server.urls["orders"]) as locker:
            locker.execute("LOCK TABLE orders, outbox, inbox IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            time.sleep(LOCKED_S)
            held = probing.between(began, time.monotonic())
            locker.rollback()
        assert [s.said for s in held if s.service == "orders" and s.served] == []
        assert [s.said for s in held if s.service != "orders" and not s.served] == []
        check_it_recovers(server.shop, probing, workers)


@pytest.mark.slow
def test_postgresql_read_only(server: Server) -> None:
    workers = worker_pids(server.shop)
    with Probing(server.shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        try:
            server.tell("orders", "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            probing.wait_for_all(lambda sample: sample.served != sample.writes)
            began = time.monotonic()
            time.sleep(4)
            check_only_writes_are_refused(probing.between(began, time.monotonic()), WRITES, "read-only")
        finally:
            server.tell("orders", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        check_it_recovers(server.shop, probing, workers)


@pytest.mark.slow
def test_postgresql_on_a_full_disk(server: Server) -> None:
    workers = worker_pids(server.shop)
    with Probing(server.shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        with full(server.disk):
            began = time.monotonic()
            probing.wait_for_all(lambda sample: not sample.served, writes=["orders"], reads=())
            time.sleep(5)
            during = probing.between(began, time.monotonic())
        check_only_writes_are_refused(during, ["orders"], "full")
        check_it_recovers(server.shop, probing, workers)


@pytest.mark.slow
def test_postgresql_crashes_and_recovers(server: Server) -> None:
    workers = worker_pids(server.shop)
    with Probing(server.shop) as probing:
        probing.wait_for_all(lambda sample: sample.served)
        for _ in range(3):
            with psycopg.connect(server.urls["orders"]) as victim:
                # One of its processes dies: the server then ends all others, and begins anew from its log.
                os.kill(victim.info.backend_pid, signal.SIGKILL)
            time.sleep(1)
        assert [s for s in probing.samples if not s.served], "nobody noticed"
        check_it_recovers(server.shop, probing, workers)
