"""Routes + healthy instances + settings -> the text of nginx.conf. Pure: the same input, the same text."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2

from chassis.errors import BY_STATUS
from gateway.fleet import Route
from gateway.settings import Settings

# The directive for each strategy. The hash is taken of the path with its arguments: the same product is asked
# of the same instance, whoever asks, and few move when instances come and go.
BALANCING = {
    "round_robin": "",
    "least_conn": "least_conn",
    "random_two": "random two least_conn",
    "ip_hash": "ip_hash",
    "consistent_hash": 'hash "$uri $args" consistent',
}

TRIES = 2  # instances that are asked for `try_ms` each, before one is given the whole time

TRACEPARENT = "~^00-(?!0+-)(?<client_trace>[0-9a-f]{32})-(?!0+-)[0-9a-f]{16}-[0-9a-f]{2}$"

# Headers by which a client could pass for a proxy in front of us or change the meaning of its request.
DROPPED_HEADERS = (
    "Forwarded", "Proxy", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl",
    "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL",
    "X-Served-By",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Server:
    """One healthy instance. `address` must be a literal IP address, so that nginx needs no name server.

    threads: requests that it works on at once, as it says itself; 0: it does not say, fleet.toml does.
    """

    address: str
    port: int
    weight: int = 1
    threads: int = 0

    @property
    def target(self) -> str:
        """The address as nginx writes it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Live:
    """What the registry says: the healthy instances and the balancing per service, and the cache's seconds.

    cache_seconds: 0 switches the cache off, None leaves it to the settings. untried: services whose requests get one
    instance for the whole time (budget.py).
    """

    servers: Mapping[str, Sequence[Server]] = field(default_factory=dict)
    balancing: Mapping[str, str] = field(default_factory=dict)
    cache_seconds: int | None = None
    untried: Collection[str] = ()


@dataclass(frozen=True)
class Location:
    """One location block: how a path is matched and what is special there.

    try_ms: how long each of the first instances is waited for; 0: one attempt has the whole time. repeatable: also
    a POST may be sent twice. lanes: writes go to an upstream of their own.
    """

    match: str
    service: str
    timeout_ms: int
    try_ms: int = 0
    repeatable: bool = False
    cached: bool = False
    pages: bool = False
    lanes: bool = False


def render(routes: Sequence[Route], live: Live, settings: Settings) -> str:
    """The text of nginx.conf. Unknown strategies must have been left out of `live` before."""
    cache_seconds = settings.cache_seconds if live.cache_seconds is None else live.cache_seconds
    return _template().render(
        options=settings,
        logs="../../logs",
        listen=Server(settings.host, settings.port).target,
        shutdown_s=max((route.timeout_ms + TRIES * route.try_ms for route in routes), default=0) // 1000 + 2,
        tries=TRIES,
        traceparent=TRACEPARENT,
        dropped_headers=DROPPED_HEADERS,
        limits=_limits(settings.rate_limits),
        upstreams=[x for route in routes for x in _upstreams(route, live, settings.connections_per_thread)],
        locations=[x for route in routes for x in _locations(route, live, settings.cached_routes, cache_seconds > 0)],
        cache_seconds=cache_seconds,
        problems=_problems(settings),
    )


@cache
def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    env = jinja2.Environment(  # nosec B701 # what comes out is nginx's language, not HTML
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return env.get_template("nginx.conf.j2")


def _upstreams(route: Route, live: Live, connections_per_thread: int) -> list[dict[str, object]]:
    """One, or a second one for writes: the same instances, and fewer requests at once."""
    servers = _servers(route, live)
    places = [(server.threads or route.threads) * connections_per_thread for server in servers]
    upstream: dict[str, object] = {
        "name": route.service,
        "balancing": BALANCING[live.balancing.get(route.service, "round_robin")],
        "servers": list(zip(servers, places, strict=True)),
    }
    writes = upstream | {"name": f"{route.service}_writes", "servers": [(server, route.writes) for server in servers]}
    return [upstream, writes] if route.writes else [upstream]


def _servers(route: Route, live: Live) -> list[Server]:
    by_address = {(server.address, server.port): server for server in live.servers.get(route.service, ())}
    return sorted(by_address.values())


def _locations(route: Route, live: Live, cached_routes: Sequence[str], cache_on: bool) -> list[Location]:
    """The prefix, and what needs a location of its own: repeatable and cached routes, a hidden description.

    The named ones come last: there a request gets the whole time, when it must not be tried or the tries are over.
    """
    plain = {"repeatable": False, "cached": False}
    found: dict[str, dict[str, bool]] = {}
    for match in _below(route.prefix):
        found[match] = dict(plain)
    for path in route.idempotent:
        found.setdefault(_exactly(path), dict(plain))["repeatable"] = True
    for path in cached_routes if cache_on else ():
        if route.prefix != "/" and path.startswith(route.prefix):
            for match in _below(path):
                found.setdefault(match, dict(plain))["cached"] = True
    if route.prefix != f"/api/{route.service}":
        found.setdefault(f"= /api/{route.service}/openapi.json", dict(plain))
    # A single instance can only be waited for, and so can one whose try would take as long as the whole.
    tried = len(_servers(route, live)) > 1 and route.try_ms < route.timeout_ms and route.service not in live.untried
    try_ms = route.try_ms if tried else 0
    pages = route.prefix == "/"
    locations = [
        Location(match, route.service, route.timeout_ms, try_ms, pages=match == "/", lanes=bool(route.writes), **flags)
        for match, flags in found.items()
    ]
    for repeatable in sorted({location.repeatable for location in locations}) if tried else ():
        match = f"@{route.service}{'_repeatable' if repeatable else ''}"
        flags = {"repeatable": repeatable, "pages": pages, "lanes": bool(route.writes)}
        locations.append(Location(match, route.service, route.timeout_ms, **flags))
    return locations


def _below(path: str) -> tuple[str, ...]:
    """Two locations, so that `/api/orders` does not take `/api/ordersX` as well."""
    return ("/",) if path == "/" else (f"= {path}", f"{path}/")


def _exactly(path: str) -> str:
    if "{" not in path:
        return f"= {path}"
    pattern = re.sub(r"\\\{[^{}]*\\\}", "[^/]+", re.escape(path))
    return f'~ "^{pattern}$"'


def _limits(rates: Mapping[str, float]) -> list[dict[str, object]]:
    """Longest path first: nginx takes the first pattern that fits. A second's worth may come at once."""
    limits: list[dict[str, object]] = []
    for path in sorted(rates, key=lambda path: (-len(path), path)):
        rate = rates[path]
        limits.append({
            "pattern": f"~^{re.escape(path.rstrip('/'))}(/|$)",
            "rate": f"{rate:.0f}r/s" if rate == round(rate) else f"{rate * 60:.0f}r/m",
            "burst": max(5, round(rate)),
        })  # fmt: skip
    return limits


def _problems(settings: Settings) -> list[dict[str, object]]:
    """The gateway's own errors. Where a service answers the same status, the title is the same."""
    problems = [
        (400, "", "The request is not well-formed HTTP."),
        (404, "", "Nothing is served under this path."),
        (405, "", "This method is not allowed."),
        (411, "Length required", "The request must say how long its body is."),
        (413, "", f"The body is larger than {settings.max_body_bytes} bytes."),
        (414, "Path too long", "The path is too long."),
        (429, "", "Too many requests from this address; wait a moment."),
        (431, "Header fields too large", "The header fields are too large."),
        (500, "", "The gateway could not handle the request."),
        (501, "Not implemented", "The gateway does not know this transfer coding."),
        (503, "", "No instance of this service answers now; try again soon."),
        (504, "", "The service did not answer in time."),
        (505, "Version not supported", "The gateway does not speak this version of HTTP."),
    ]
    return [
        {"status": status, "title": title or BY_STATUS[status].title, "detail": detail}
        for status, title, detail in problems
    ]
