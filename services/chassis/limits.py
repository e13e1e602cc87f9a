"""How fast one user may ask: a token bucket per subject.

Clients on loopback are not limited unless asked, so that a load test measures the system. With REDIS_URL all replicas
of a service share the buckets (`shared_limits.py`). Without it, and while Redis does not answer, each replica has its
own in memory: with N replicas a user gets up to N times the rate.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask, request

from chassis.background import add_background
from chassis.errors import TooManyRequests
from chassis.settings import ChassisSettings

if TYPE_CHECKING:
    from chassis.shared_limits import SharedLimits


class SubjectLimits:
    """`per_second` requests for each subject, with bursts of twice that or of `burst`. Zero means no limit."""

    REMEMBERED = 10_000

    def __init__(
        self,
        per_second: float,
        loopback_too: bool,
        clock: Callable[[], float] = time.monotonic,
        burst: float | None = None,
        name: str = "requests",
        shared: "SharedLimits | None" = None,
    ) -> None:
        self.per_second, self.loopback_too, self._clock = per_second, loopback_too, clock
        self._name, self._shared = name, shared
        self.burst = max(1.0, 2 * per_second if burst is None else burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # subject -> (tokens, when)
        self._lock = threading.Lock()

    def take(self, subject: str) -> None:
        """Count a request of `subject`. Raises TooManyRequests."""
        tokens = self._tokens(subject, spend=1)
        if tokens < 1:
            raise TooManyRequests("you are asking too fast", retry_after=(1 - tokens) / self.per_second)

    def give_back(self, subject: str) -> None:
        """What was taken does not count after all."""
        self._tokens(subject, spend=-1)

    def _tokens(self, subject: str, spend: float) -> float:
        """How many requests the subject had left; a refused one spends nothing."""
        if self.per_second <= 0 or (not self.loopback_too and _client_is_loopback()):
            return 1
        if self._shared is not None:
            shared = self._shared.tokens(self._name, subject, spend, self.per_second, self.burst)
            if shared is not None:
                if shared >= 1 or spend < 0:
                    self._own_tokens(subject, spend)  # or losing Redis would give everybody a new burst
                return shared
        return self._own_tokens(subject, spend)

    def _own_tokens(self, subject: str, spend: float) -> float:
        now = self._clock()
        with self._lock:
            tokens, then = self._buckets.pop(subject, (self.burst, now))
            tokens = min(self.burst, tokens + (now - then) * self.per_second)
            self._buckets[subject] = (tokens - spend if tokens >= 1 or spend < 0 else tokens, now)
            if len(self._buckets) > self.REMEMBERED:
                self._buckets.popitem(last=False)
        return tokens


def shared_limits(app: Flask, settings: ChassisSettings) -> "SharedLimits | None":
    """The buckets that this process shares with the other replicas, if there is a Redis for them."""
    if settings.redis_url and "souk.shared_limits" not in app.extensions:
        from chassis.shared_limits import SharedLimits  # redis-py takes 6 MB, which others need not pay

        shared = SharedLimits(settings.redis_url, settings.service, settings.redis_timeout_ms / 1000)
        add_background(app, shared)
        app.extensions["souk.shared_limits"] = shared
    return app.extensions.get("souk.shared_limits")


def _client_is_loopback() -> bool:
    # The gateway overwrites X-Forwarded-For; without a gateway the peer itself is the client.
    return _is_loopback(request.headers.get("X-Forwarded-For", request.remote_addr or ""))


@lru_cache(maxsize=1_000)
def _is_loopback(addresses: str) -> bool:
    try:
        return ipaddress.ip_address(addresses.rpartition(",")[2].strip()).is_loopback
    except ValueError:
        return False
