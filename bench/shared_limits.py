"""What does Redis cost, and what would it save? A signed-in read with and without shared limits; a replayed order.

python -m bench.shared_limits

Two processes of orders, which differ in REDIS_URL alone, take turns; both limit clients on loopback too, so that every
read asks for its limit. Then: how long it takes to find the stored answer of a repeated order, in each place where it
might lie.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
from redis import Redis

from bench.cost import READS, bare_server, idle_use, measured, read
from bench.system import PROJECT, eventually
from bench.table import show
from chassis.database import Database
from chassis.idempotency import Answer, Key, _find, metadata, store
from chassis.postgres_server import NoPostgres, any_server, postgres_database
from chassis.redis_url import redis_address
from chassis.testing import SERVICE_KEY, as_user, key_set
from chassis.testing_redis import NoRedis, RedisServer, own_redis

ROUNDS, LOOKUPS = 7, 2_000
PROMISED = 0.8  # bare routes more
LIMITED = {"RATE_LIMIT_LOOPBACK": "true", "RATE_LIMIT_PER_S": "1000000"}
KEY = Key("customer", "POST /api/orders", "a-key", "hash")
LINES = [{"sku": "SOUK-000081", "quantity": 1, "price_cents": 1250}] * 2
ORDER = {"id": "0b7e", "state": "PENDING", "lines": LINES, "total_cents": 2500, "currency": "EUR"}
ANSWER = Answer(202, ORDER, "/api/orders/0b7e")


def run() -> int:
    """Print both tables. 1 when the promise is broken, else 0; without redis-server nothing is measured."""
    try:
        with own_redis() as redis:
            kept = reads(redis)
            replays(redis)
    except NoRedis as error:
        print(f"shared_limits: {error}")
        return 0
    return int(not kept)


def reads(redis: RedisServer) -> bool:
    """What a read costs with and without Redis. Whether that is within the promise."""
    with ExitStack() as stack:
        bare, bare_pid = stack.enter_context(bare_server())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="souk-")))
        without, without_pid = stack.enter_context(orders(home, "without"))
        shared, shared_pid = stack.enter_context(orders(home, "shared", REDIS_URL=redis.url))
        leaders = {bare_pid: "bare", without_pid: "without", shared_pid: "shared"}
        token = as_user("customer")
        works = {
            "bare": lambda: read(bare, "/", {}),
            "without": lambda: read(without, "/api/orders?limit=1", token),
            "shared": lambda: read(shared, "/api/orders?limit=1", token),
        }
        for work in works.values():
            work()
        idle = idle_use(leaders)
        rounds: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                rounds[name].append(measured(leaders, work, idle, READS)[name])
        sizes = {name: memory_mb(leader) for leader, name in leaders.items()}
    used = {name: statistics.median(found) for name, found in rounds.items()}
    more = (used["shared"] - used["without"]) / used["bare"]
    texts = {"bare": "a bare jsonify route", "without": "my orders", "shared": "with REDIS_URL"}
    rows = [[texts[n], 1e3 * used[n], used[n] / used["bare"], 1e3 * idle[n], sizes[n]] for n in texts]
    promise = f"promised: Redis adds at most {PROMISED:g} bare routes: {'kept' if more <= PROMISED else 'NOT KEPT'}"
    title = "What a signed-in read costs, its limit in memory and in Redis"
    show(title, ["route", "ms", "bare", "idle ms/s", "PSS MB"], rows, f"{promise}, {more:.2f}")
    return more <= PROMISED


@contextmanager
def orders(home: Path, name: str, **settings: str) -> Iterator[tuple[str, int]]:
    """The address and process group of a replica of orders, without a system around it."""
    home = home / name
    nobody = home / "nobody.toml"
    files = {"keys/service.keys": SERVICE_KEY, "cache/jwks.json": json.dumps(key_set()), nobody.name: "[services]\n"}
    for file, text in files.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text)
    environment = {"SOUK_HOME": str(home), "DISCOVERY_URL": f"static://{nobody}", "DRAIN_S": "0", **LIMITED, **settings}
    given = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL", "PORT")}
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "orders", "migrate", "serve"], cwd=PROJECT, env=given | environment,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        found = eventually(lambda: re.search(r'"instance": "orders-([\d.]+)-(\d+)", "pid"', log.read_text()))
        if settings:
            eventually(lambda: "limits are shared" in log.read_text())
        yield f"http://{found[1]}:{found[2]}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def memory_mb(leader: int) -> float:
    found = psutil.Process(leader)
    return sum(process.memory_full_info().pss for process in [found, *found.children(recursive=True)]) / 1e6


def replays(redis: RedisServer) -> None:
    """How long it takes to find the stored answer of a repeated order."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = {"SQLite": f"sqlite:///{folder}/keys.db"}
        with suppress(NoPostgres):
            urls["PostgreSQL"] = stack.enter_context(postgres_database(stack.enter_context(any_server())))
        for name, url in urls.items():
            database = Database(url)
            metadata.create_all(database.engine)
            with database.transaction() as session:
                store(session, KEY, ANSWER)
            rows.append([f"{name}, where it lies today", *microseconds(partial(_find, database, KEY))])
            database.engine.dispose()
    where = redis_address(redis.url)
    with Redis(host=where.host, port=where.port, password=where.password, single_connection_client=True) as client:
        client.set("answer", json.dumps([ANSWER.status, ANSWER.body, ANSWER.location]))
        rows.append(["Redis", *microseconds(lambda: Answer(*json.loads(client.get("answer"))))])
        rows.append(["Redis, of a new order: not there", *microseconds(lambda: client.get("another"))])
    show("To find the answer of a repeated order, for one client", ["where", "median µs", "p95 µs"], rows)


def microseconds(look: Callable[[], object]) -> list[float]:
    took = []
    for _ in range(LOOKUPS):
        began = time.perf_counter()
        look()
        took.append((time.perf_counter() - began) * 1e6)
    return [statistics.median(took), statistics.quantiles(took, n=20)[-1]]


if __name__ == "__main__":
    sys.exit(run())
