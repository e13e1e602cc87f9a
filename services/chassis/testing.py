"""What the tests of every service share: the real application on a real, migrated, temporary database.

Nothing is mocked but the neighbours, and those are real HTTP servers on free ports.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import MetaData, make_url

from chassis.engines import make_engine
from chassis.identity import KeySet
from chassis.migrate import upgrade
from chassis.settings import ChassisSettings
from chassis.testing_input import BadBody, assert_problem, bad_bodies
from chassis.testing_tokens import (
    SERVICE_KEY,
    as_operator,
    as_service,
    as_user,
    bad_service_tokens,
    bad_tokens,
    key_set,
    signing_key,
    user_claims,
    user_token,
)

__all__ = [
    "SERVICE_KEY", "BadBody", "Neighbour", "app_maker", "as_operator", "as_service", "as_user", "assert_problem",
    "bad_bodies", "bad_service_tokens", "bad_tokens", "event", "eventually", "key_set", "make_test_app",
    "published", "schema_drift", "signing_key", "user_claims", "user_token",
]  # fmt: skip


def make_test_app(
    create_app: Callable[[Any], Flask],
    settings_class: type[ChassisSettings],
    home: Path,
    neighbours: dict[str, str] | None = None,
    **overrides: Any,
) -> Flask:
    """The service's application on a fresh database below `home`.

    neighbours: name -> "host:port" of those who can be called. EVENT_ROUTES and any other setting can be
    overridden. The relay and other background work do not run unless the test starts them.
    """
    (home / "keys").mkdir(parents=True, exist_ok=True)
    (home / "keys" / "service.keys").write_text(SERVICE_KEY)
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache" / "jwks.json").write_text(json.dumps(key_set()))
    discovery = home / "neighbours.toml"
    lines = [f'{name} = ["{address}"]' for name, address in (neighbours or {}).items()]
    discovery.write_text("\n".join(["[services]", *lines]))
    settings = settings_class(souk_home=home, discovery_url=f"static://{discovery.absolute()}", **overrides)
    package = settings_class.__module__.split(".")[0]
    if (Path(__file__).parent.parent / package / "migrations").exists():
        _migrate(package, settings.database)
    app = create_app(settings)
    app.testing = False  # errors become answers, as in production
    if not (neighbours and "accounts" in neighbours):
        _stand_in_for_accounts(app)
    return app


_migrated: dict[str, bytes] = {}  # service -> the SQLite file that its migrations make


def _migrate(service: str, url: str) -> None:
    """Migrate a database. A new SQLite file is a copy of the first one: most tests need one."""
    file = Path(make_url(url).database or "")
    if make_url(url).get_backend_name() != "sqlite" or file.exists():
        upgrade(service, url)
    elif service in _migrated:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated[service])
    else:
        upgrade(service, url)
        _migrated[service] = file.read_bytes()


@contextmanager
def app_maker(
    create_app: Callable[[Any], Flask], settings_class: type[ChassisSettings], home: Path, **defaults: Any
) -> Iterator[Callable[..., Flask]]:
    """Makes the application; called again it makes another replica on the same database. Closes all at the end.

    defaults: what `make_test_app` is given where a call says nothing else.
    """
    apps: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        apps.append(make_test_app(create_app, settings_class, home, **{**defaults, **overrides}))
        return apps[-1]

    try:
        yield make
    finally:
        for extensions in (app.extensions for app in apps):
            extensions["souk.calls"].stop()
            if database := extensions.get("souk.database"):
                database.engine.dispose()


def _stand_in_for_accounts(app: Flask) -> None:
    """Answer the question for the keys as accounts would, so that an unknown `kid` is a 401 and no 503."""
    identity = app.extensions.get("souk.identity")
    if identity is not None and identity.keys.asks_accounts:
        identity.keys = KeySet(key_set, None)


def schema_drift(service: str, url: str, *metadatas: MetaData) -> list[Any]:
    """What differs between a database that all migrations made and the tables that the code declares.

    url: an empty database, or one that is migrated already. An empty list is what a test wants to see.
    """
    upgrade(service, url)
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return list(compare_metadata(context, metadatas))  # type: ignore[arg-type]  # takes several too
    finally:
        engine.dispose()


def event(type_: str, subject: str, source: str = "/orders", id_: str | None = None, **data: Any) -> dict[str, Any]:
    """A CloudEvent as a neighbour would send it."""
    return {
        "specversion": "1.0",
        "id": id_ or str(uuid.uuid4()),
        "type": type_,
        "source": source,
        "subject": subject,
        "time": "2030-01-01T00:00:00+00:00",
        "data": data,
    }


def published(app: Flask) -> list[dict[str, Any]]:
    """The events in the outbox, oldest first: `{"type", "subject", "subscriber", "data"}`."""
    from sqlalchemy import select

    from chassis.outbox import deliveries

    with app.extensions["souk.database"].reading() as session:
        rows = session.execute(select(deliveries).order_by(deliveries.c.seq)).mappings().all()
    keep = ("type", "subject", "subscriber")
    return [{**{k: row[k] for k in keep}, "data": json.loads(row["body"])["data"]} for row in rows]


def eventually(condition: Callable[[], Any], within_s: float = 20.0) -> Any:
    """Wait until the condition is true, and return it. Raises AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not true within {within_s} s: {condition}"
        time.sleep(0.02)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 refuses a burst of callers
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who gave up before the answer is what some tests are about, and not worth a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Neighbour:
    """A real HTTP server with scripted answers: `answers[(method, path)] = (status, body)`.

    An answer may also be a function of the request's body. Everything that it is asked is kept in `requests` as
    (method, path, headers, body).
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        answer = self.answers.get((method, path), self.answers.get((method, path.partition("?")[0]), (404, {})))
        return answer(body) if callable(answer) else answer

    def _handler(neighbour) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer on a kept connection waits 40 ms

            def handle_any(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(raw) if raw else None
                neighbour.requests.append((self.command, self.path, dict(self.headers), body))
                status, answer = neighbour._answer(self.command, self.path, body)
                data = b"" if status == 204 else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Served-By", f"neighbour-{neighbour.address}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
