"""Kept connections whose repetitions are bounded and counted: how the generator's requests travel.

geventhttpclient silently sends a GET again, on a new connection each time, for as long as the other side closes
without an answer; a load test must not hide that. Here a request that finds its *kept* connection closed before any
byte of an answer is sent once more, on a fresh one, if it is idempotent or carries an Idempotency-Key (RFC 9110,
section 9.2.2), and `resent` on the response or the error says so. Every other broken connection is an error.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPConnectionClosed
from locust.contrib.fasthttp import LocustUserAgent


@dataclass
class Exchange:
    """One request on its way. sockets: how many it has taken. fresh: the last one was not kept from before."""

    sockets: int = 0
    fresh: bool = False


_exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


class _Counted:
    """A pool that lets an exchange have a second connection only if the first was a kept one, and no third."""

    def get_socket(self: Any) -> Any:
        exchange = _exchange.get()
        if exchange is None:
            return super().get_socket()
        if exchange.sockets and (exchange.fresh or exchange.sockets > 1):
            raise HTTPConnectionClosed("closed without an answer")
        exchange.sockets, again = exchange.sockets + 1, exchange.sockets > 0
        exchange.fresh = again
        return self._fresh_socket() if again else super().get_socket()

    def _fresh_socket(self: Any) -> Any:
        self._semaphore.acquire()
        try:
            return self._create_socket()
        except BaseException:
            self._semaphore.release()
            raise

    def _create_socket(self) -> Any:
        if (exchange := _exchange.get()) is not None:
            exchange.fresh = True
        return super()._create_socket()  # type: ignore[misc]


class _CountedPool(_Counted, ConnectionPool):
    pass


class _CountedSSLPool(_Counted, SSLConnectionPool):
    pass


class KeptClients(HTTPClientPool):
    """The connections to all addresses, shared by all customers of this process."""

    def get_client(self, url: Any) -> HTTPClient:
        client = super().get_client(url)
        pool = client._connection_pool
        if not isinstance(pool, _Counted):
            # HTTPClient makes its own pool and takes no other; this one has its data and our rules.
            pool.__class__ = _CountedSSLPool if isinstance(pool, SSLConnectionPool) else _CountedPool
        return client


class Agent(LocustUserAgent):
    """Locust's own, with `resent` on each response and each error."""

    def _urlopen(self, request: Any) -> Any:
        exchange = Exchange()
        before = _exchange.set(exchange)
        try:
            response = self._once_or_twice(request, exchange)
        except Exception as error:
            error.resent = max(0, exchange.sockets - 1)  # type: ignore[attr-defined]
            raise
        finally:
            _exchange.reset(before)
        response.resent = exchange.sockets - 1
        return response

    def _once_or_twice(self, request: Any, exchange: Exchange) -> Any:
        try:
            return super()._urlopen(request)  # it repeats what is idempotent by its method
        except HTTPConnectionClosed:
            if exchange.fresh or exchange.sockets != 1 or "Idempotency-Key" not in request.headers:
                raise
        return super()._urlopen(request)
