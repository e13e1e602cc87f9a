"""`python -m loadtests.openloop`: requests on a seeded schedule, one line of JSON for each into a file.

It signs in some customers, prints `ready`, and sends until its standard input ends, a SIGTERM comes or `--seconds`
are over. Then it waits for what is under way and prints one line of JSON about itself: how many requests, its CPU
seconds, and how late it was (99th percentile, in seconds).

Connections are kept, as real clients do. A request that finds its kept connection closed before any byte of an
answer is sent once more on a fresh one if it is a GET or carries an Idempotency-Key (RFC 9110, section 9.2.2), and
its sample says so. Every other error is a failed request.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import argparse  # noqa: E402
import gc  # noqa: E402
import http.client  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
from collections import deque  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import IO, Any  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from loadtests.arrivals import arrivals, parse_mix  # noqa: E402
from loadtests.samples import Sample, percentile  # noqa: E402

TIMEOUT_S = 30.0
MOST_UNDER_WAY = 4000  # beyond this the generator gives up on a request and says so, before memory does
SKUS = 100
CUT_OFF = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
COME_AGAIN = (429, 503)


@dataclass
class Request:
    """What a step sends. expect: text that the body of a 2xx must contain."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expect: bytes = b""

    @property
    def repeatable(self) -> bool:
        return self.method == "GET" or "Idempotency-Key" in self.headers


class Customers:
    """Signed-in customers, one after the other, and one order of each, to be looked at."""

    def __init__(self, shop: "Shop", count: int, rng: random.Random) -> None:
        self.shop, self.rng = shop, rng
        self.tokens = [self._sign_up() for _ in range(count)]
        self.orders: list[tuple[str, str]] = []  # (path, token)
        self._next = itertools.cycle(self.tokens)

    def token(self) -> str:
        return next(self._next)

    def _sign_up(self) -> str:
        account = {"email": f"load-{uuid.uuid4().hex}@souk.example", "password": uuid.uuid4().hex}
        self._insist("/api/accounts/users", account | {"name": "A customer"})
        return str(json.loads(self._insist("/api/accounts/tokens", account))["access_token"])

    def _insist(self, path: str, body: dict[str, str]) -> bytes:
        request = Request("POST", path, {"Content-Type": "application/json"}, json.dumps(body).encode())
        for _ in range(60):
            answer = self.shop.send(request)
            if answer.status in (200, 201):
                return answer.body
            if answer.status not in COME_AGAIN:
                break
            gevent.sleep(0.5)
        raise SystemExit(f"{path} answers {answer.status}: {answer.body[:200]!r}")


class Steps:
    """What each step of a mix asks for."""

    def __init__(self, customers: Customers, rng: random.Random, card: str) -> None:
        self.customers, self.rng, self.card = customers, rng, card

    def make(self, step: str) -> Request:
        return getattr(self, f"_{step}")()  # type: ignore[no-any-return]

    def _sku(self) -> str:
        return f"SOUK-{self.rng.randrange(1, SKUS + 1):06}"

    def _page(self) -> Request:
        """A page of the catalog that no cache has: nobody has asked with this argument before."""
        return Request("GET", f"/api/catalog/products?limit=20&visit={self.rng.getrandbits(48)}", expect=b'"items"')

    def _product(self) -> Request:
        sku = self._sku()
        return Request("GET", f"/api/catalog/products/{sku}", expect=sku.encode())

    def _stock(self) -> Request:
        sku = self._sku()
        return Request("GET", f"/api/inventory/stock/{sku}", expect=sku.encode())

    def _look(self) -> Request:
        """An order of one's own, with a token and a query."""
        if not self.customers.orders:
            return self._page()
        path, token = self.rng.choice(self.customers.orders)
        return Request("GET", path, {"Authorization": f"Bearer {token}"}, expect=path.rpartition("/")[2].encode())

    def _order(self) -> Request:
        body = {"lines": [{"sku": self._sku(), "quantity": 1}], "payment": {"card": self.card}}
        headers = {
            "Authorization": f"Bearer {self.customers.token()}",
            "Content-Type": "application/json",
            "Idempotency-Key": uuid.UUID(int=self.rng.getrandbits(128)).hex,
        }
        return Request("POST", "/api/orders", headers, json.dumps(body).encode(), expect=b'"state"')


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Any
    repeats: int


class Shop:
    """Kept connections to one address. The one that was used last is taken first, as browsers' pools do."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.idle: deque[http.client.HTTPConnection] = deque()

    def send(self, request: Request) -> Answer:
        """The answer. Raises OSError or http.client.HTTPException when there is none."""
        connection = self.idle.pop() if self.idle else self._connect()
        kept = connection.sock is not None
        try:
            return self._exchange(connection, request, 0)
        except CUT_OFF:
            connection.close()
            if not (kept and request.repeatable):
                raise
        return self._exchange(self._connect(), request, 1)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)

    def _exchange(self, connection: http.client.HTTPConnection, request: Request, repeats: int) -> Answer:
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the other side did not say that it closes
            self.idle.append(connection)
        return Answer(response.status, body, response.headers, repeats)


class Load:
    """The loop: waits for the next arrival, and lets a greenlet of its own make the request."""

    def __init__(self, shop: Shop, steps: Steps, out: IO[str]) -> None:
        self.shop, self.steps, self.out = shop, steps, out
        self.pool = Pool()
        self.late: list[float] = []
        self.stopping = False

    def run(self, schedule: Any, until_s: float) -> None:
        began = time.monotonic()
        for at_s, step in schedule:
            if at_s > until_s:
                return
            # In short naps, so that a request to stop is heard.
            while not self.stopping and (left := began + at_s - time.monotonic()) > 0:
                gevent.sleep(min(left, 0.05))
            if self.stopping:
                return
            self._spawn(began + at_s, step)

    def _spawn(self, scheduled: float, step: str) -> None:
        if len(self.pool) >= MOST_UNDER_WAY:
            self._note(Sample(scheduled, scheduled, time.monotonic(), step, 0, "not sent: too many are under way"))
            return
        self.pool.spawn(self._one, scheduled, step, self.steps.make(step))

    def _one(self, scheduled: float, step: str, request: Request) -> None:
        started = time.monotonic()
        try:
            answer = self.shop.send(request)
        except (OSError, http.client.HTTPException) as error:
            self._note(Sample(scheduled, started, time.monotonic(), step, 0, f"{type(error).__name__}: {error}"))
            return
        ended, headers = time.monotonic(), answer.headers
        location = headers.get("Location", "") if answer.status == 202 else ""
        right = answer.status >= 300 or request.expect in answer.body
        self._note(
            Sample(
                scheduled, started, ended, step, answer.status, "" if right else "the body is not what was asked for",
                answer.repeats, headers.get("X-Served-By", ""), headers.get("Retry-After", ""), location,
            )
        )  # fmt: skip
        if location and len(self.steps.customers.orders) < SKUS:
            self.steps.customers.orders.append((location, request.headers["Authorization"].removeprefix("Bearer ")))

    def _note(self, sample: Sample) -> None:
        self.late.append(sample.started - sample.scheduled)
        self.out.write(sample.as_line() + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.openloop", description="Requests on a schedule.")
    parser.add_argument("--host", required=True, help="the shop's address")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--mix", type=parse_mix, default="page=1", help="steps and weights: page=6,look=2,order=1")
    parser.add_argument("--seconds", type=float, default=600, help="how long at most (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument("--customers", type=int, default=4, help="how many sign in (default 4)")
    parser.add_argument("--card", default="4242424242424242", help="the test card that orders are paid with")
    parser.add_argument("--core", type=int, help="run on this core alone")
    parser.add_argument("--out", type=Path, required=True, help="where the samples go")
    options = parser.parse_args()
    if options.rate <= 0 or options.seconds <= 0 or options.customers < 1:
        parser.error("--rate, --seconds and --customers must be above zero")
    if unknown := [step for step in options.mix if not hasattr(Steps, f"_{step}") or step == "sku"]:
        parser.error(f"no step is called {', '.join(unknown)}")
    return options


def main() -> int:
    options = arguments()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    rng, shop = random.Random(options.seed), Shop(options.host)
    customers = Customers(shop, options.customers, rng)
    with options.out.open("w", buffering=1 << 16) as out:
        load = Load(shop, Steps(customers, rng, options.card), out)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(load, "stopping", True))
        gevent.spawn(_stop_at_end_of_input, load)
        gc.freeze()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        load.run(arrivals(options.rate, options.mix, options.seed, options.arrivals), options.seconds)
        load.pool.join(timeout=TIMEOUT_S + 5)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    about = {"requests": len(load.late), "cpu_s": usage.ru_utime + usage.ru_stime}
    about["late_p99_s"] = percentile(load.late, 0.99) if load.late else 0.0
    sys.stdout.write(json.dumps(about) + "\n")
    return 0


def _stop_at_end_of_input(load: Load) -> None:
    from gevent.fileobject import FileObject

    FileObject(sys.stdin.buffer, "rb", close=False).read()
    load.stopping = True


if __name__ == "__main__":
    sys.exit(main())
