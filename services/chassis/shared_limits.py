"""Token buckets that all replicas of a service share, in Redis. Imported only where REDIS_URL is set.

A bucket is one number: when it will be full again, by the clock of Redis. Its key lives until then, so whoever is
silent leaves nothing behind. Redis is asked once per limit, on the one connection that a thread beside the requests
makes and looks after: no request resolves a name, connects, or tries whether Redis is back. When it does not answer
in time, one request has waited, and the replica limits by itself until a probe succeeds.
"""

import hashlib
import threading
from typing import Any

from prometheus_client import Counter
from redis.connection import Connection
from redis.exceptions import RedisError, TimeoutError

from chassis.background import Periodic
from chassis.redis_url import redis_address
from chassis.telemetry import log

FAILED = Counter(
    "souk_redis_failures_total", "Questions to Redis without an answer, by who asked", ["service", "asker", "reason"]
)
ALONE = Counter("souk_limits_alone_total", "Limits that a replica decided by itself, without Redis", ["service"])
PROBE_S = 1.0

# Returns the tokens before spending. A refused request writes nothing new, so it does not make it worse. After a clock
# that was set back, or under a new setting, a bucket is at worst empty.
TAKE = """
local rate, burst, spend = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
full_at = math.min(math.max(full_at, now), now + burst / rate)
local tokens = burst - (full_at - now) * rate
if tokens >= 1 or spend < 0 then full_at = full_at + spend / rate end
local left_ms = math.ceil((full_at - now) * 1000)
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', string.format('%.0f', math.max(1, left_ms)))
return string.format('%.9f', tokens)
"""
FAILURES = (RedisError, OSError, ValueError)  # ValueError: an answer that is no number, a host that is no name


class SharedLimits:
    """The buckets of one service. `start` and `stop` are the worker's; before the first probe nothing is shared."""

    def __init__(self, url: str, service: str, timeout_s: float) -> None:
        self._address, self._service, self._timeout_s = redis_address(url), service, timeout_s
        self._lock = threading.Lock()  # of the connection: on it answers come in the order of the questions
        self._connection: Connection | None = None
        self._sha = ""
        self._said_away = False
        self._prober = Periodic("redis", PROBE_S, self.probe)

    def start(self) -> None:
        self._prober.start()
        self._prober.wake()

    def stop(self) -> None:
        self._prober.stop()
        with self._lock:
            self._drop()

    @property
    def answers(self) -> bool:
        """Whether the limits are shared now."""
        return self._connection is not None

    def tokens(self, name: str, subject: str, spend: float, per_second: float, burst: float) -> float | None:
        """What the subject's bucket of this name had left, less `spend` from now on; None: decide by yourself."""
        # Hashed, because a subject may be somebody's e-mail.
        key = f"souk:{self._service}:{name}:{hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()}"
        left = None
        # Others wait for the connection no longer than for an answer.
        if self._connection is not None and self._lock.acquire(timeout=self._timeout_s):
            try:
                left = self._ask(key, spend, per_second, burst)
            finally:
                self._lock.release()
        if left is None:
            ALONE.labels(self._service).inc()
        return left

    def _ask(self, key: str, spend: float, per_second: float, burst: float) -> float | None:
        if (connection := self._connection) is None:
            return None
        try:
            return _take(connection, self._sha, key, spend, per_second, burst)
        except FAILURES as error:
            self._failed("request", error)
            return None

    def probe(self) -> None:
        """Ask as a request does: who answers PING may still refuse to write."""
        key = f"souk:{self._service}:probe"
        with self._lock:
            if (connection := self._connection) is not None:
                try:
                    _take(connection, self._sha, key, 1, 10, 10)
                except FAILURES as error:
                    self._failed("probe", error)
                return
        connection = self._new_connection()
        try:
            sha = _command(connection, "SCRIPT", "LOAD", TAKE).decode()
            _take(connection, sha, key, 1, 10, 10)
        except FAILURES as error:
            connection.disconnect()
            self._failed("probe", error)
            return
        with self._lock:
            self._connection, self._sha, self._said_away = connection, sha, False
        log.info("Redis answers; limits are shared by all replicas", redis=str(self._address))

    def _new_connection(self) -> Connection:
        where = self._address
        return Connection(
            host=where.host, port=where.port, db=where.db, username=where.username, password=where.password,
            socket_connect_timeout=self._timeout_s, socket_timeout=self._timeout_s, protocol=2, driver_info=None,
        )  # fmt: skip

    def _failed(self, asker: str, error: Exception) -> None:
        """Whatever comes late on this connection must not be taken for the answer to the next question."""
        FAILED.labels(self._service, asker, "timeout" if isinstance(error, TimeoutError) else "error").inc()
        self._drop()
        if not self._said_away:
            self._said_away = True
            text = "Redis does not answer as it should; until it does, each replica limits by itself"
            log.warning(text, redis=str(self._address), error=str(error))

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()


def _take(connection: Connection, sha: str, key: str, spend: float, per_second: float, burst: float) -> float:
    return float(_command(connection, "EVALSHA", sha, 1, key, per_second, burst, spend))


def _command(connection: Connection, *words: Any) -> Any:
    connection.send_command(*words)
    return connection.read_response()
