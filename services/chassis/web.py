"""The Flask application of every service: errors, health, metrics, and one log line per request.

Every error leaves as RFC 9457 problem details; what was raised decides the status, and nothing internal (no
stack trace, no SQL, no address) reaches the client.
"""

import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from chassis import deadline
from chassis.clock import Age
from chassis.errors import (
    BY_STATUS,
    BadRequest,
    DeadlinePassed,
    InternalError,
    NotFound,
    Problem,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from chassis.openapi import use_openapi
from chassis.queueing import waited_s
from chassis.settings import ChassisSettings
from chassis.telemetry import REQUEST_SECONDS, SHED_REQUESTS, log
from chassis.trace import current_trace, new_trace, parse_traceparent


class StrictJson(DefaultJSONProvider):
    """JSON as RFC 8259 has it: no NaN, and what is nested too deep for the parser is the sender's mistake."""

    # Made once: the provider's own `dumps` makes an encoder for each answer.
    _encode = json.JSONEncoder(default=DefaultJSONProvider.default, allow_nan=False, separators=(",", ":")).encode

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs) if kwargs.keys() - {"separators"} else self._encode(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises ValueError, which is answered with 400."""
        try:
            return super().loads(s, parse_constant=_no_constant, parse_float=_number, **kwargs)
        except RecursionError:
            raise ValueError("the JSON is nested too deep") from None


def _number(text: str) -> float:
    """JSON has no integers: 2.0 is 2 (RFC 8259, section 6; JSON Schema), as far as a double is exact."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


class StrictRequest(Request):
    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body. `null` is refused: APIFlask would take it for an empty object."""
        if (value := super().get_json(force=force, silent=silent, cache=cache)) is None and not silent:
            raise Unprocessable("send a JSON object", errors=[{"field": "_schema", "message": "null is no object"}])
        return value

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Say what is wrong: werkzeug's own sentence speaks of a browser or proxy, and of no reason."""
        if e is None:
            raise UnsupportedMediaType(f"send the body as {JSON}")
        raise BadRequest(f"the body is not JSON: {_why(e)}")


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        return f"{what}, at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    return "a number has too many digits" if "digits" in str(error) else str(error)  # else one of ours


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


LONGEST_BUDGET_MS = 3_600_000
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS = WITH_BODY | {"GET", "HEAD", "OPTIONS"}
_gateway_age = Age()
QUIET = ("/healthz", "/readyz", "/metrics")  # asked every second or so: not worth a line each


def make_app(settings: ChassisSettings, *, forms: bool = False) -> APIFlask:
    """An application with nothing in it yet but what all services share. forms: HTML forms are taken beside JSON."""
    app = _App(settings.service, title=settings.service, version=settings.version, docs_path=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.max_body_bytes, AUTO_404_RESPONSE=False)
    app.security_schemes = {
        "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "service": {"type": "http", "scheme": "bearer", "description": "made by the calling service"},
    }
    app.json = StrictJson(app)
    app.request_class = StrictRequest
    app.json.sort_keys = False
    app.extensions["souk.body_types"] = (JSON, FORM) if forms else (JSON,)
    app.extensions["souk.settings"] = settings
    app.extensions["souk.instance"] = settings.service  # `serve` knows better once the port is known
    app.extensions["souk.ready"] = []
    app.extensions["souk.background"] = []
    around = _Around(app, settings)
    app.before_request(around.begin)
    app.after_request(around.end)
    _answer_errors_as_problems(app)
    _add_operations(app, settings)
    use_openapi(app)
    return app


class _App(APIFlask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is. Flask looks at each function, for each request, whether it is a coroutine; none of ours is one."""
        return func


class _Around:
    """What is done before and after every request. It runs for all of them, so it looks nothing up twice."""

    def __init__(self, app: Flask, settings: ChassisSettings) -> None:
        self._settings, self._extensions = settings, app.extensions

    def begin(self) -> None:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # without the proxy at each look
        environ, settings = asked.environ, self._settings  # `headers` raises and catches for each that is missing
        g.began, g.noted = time.perf_counter(), {}
        current_trace.set(parse_traceparent(environ.get("HTTP_TRACEPARENT", "")) or new_trace())
        given_ms = _number_in(environ, "HTTP_X_REQUEST_TIMEOUT_MS", int, settings.request_timeout_ms)
        budget_ms = min(given_ms, LONGEST_BUDGET_MS) - waited_s() * 1000  # it arrived when it was queued
        deadline.set_deadline(budget_ms)
        if asked.path in QUIET:
            return
        if "\0" in asked.path:  # no name contains it, and PostgreSQL takes no text that does
            raise NotFound("there is nothing here")
        if budget_ms <= 0:
            raise DeadlinePassed("the time for this request was over before it was begun")
        waited_for_ms = _number_in(environ, "HTTP_X_REQUEST_WAIT_MS", int, budget_ms)
        _shed_if_queued_too_long(settings, waited_for_ms, _number_in(environ, "HTTP_X_REQUEST_START", float, None))
        if asked.method in WITH_BODY and _has_body(asked):
            _check_body_type(asked, self._extensions["souk.body_types"])

    def end(self, response: Response) -> Response:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        deadline.set_deadline(None)  # what this thread does next is not part of the request
        headers, trace, instance = response.headers, current_trace.get(), self._extensions["souk.instance"]
        headers["X-Served-By"] = instance
        if trace is not None:
            headers["X-Trace-Id"] = trace.trace_id
        if asked.path in QUIET:
            return response
        seconds, rule = time.perf_counter() - g.began, asked.url_rule
        # Whoever invents methods must not make a metric of each.
        method = asked.method if asked.method in METHODS else "other"
        labels = (self._settings.service, method, rule.rule if rule else "unknown", response.status_code)
        REQUEST_SECONDS.labels(*labels).observe(seconds)
        log.info(
            "request", method=asked.method, path=asked.path, status=response.status_code,
            ms=round(seconds * 1000, 1), instance=instance, **g.noted,
        )  # fmt: skip
        return response


def note(**fields: object) -> None:
    """Say more about the request at hand in its log line."""
    g.noted.update(fields)


def _number_in(environ: Mapping[str, Any], name: str, kind: Callable[[str], Any], default: Any) -> Any:
    """What this header says, or the default where it is missing or says no number."""
    if (text := environ.get(name)) is None:
        return default
    try:
        return kind(text)
    except ValueError:
        return default


def _check_body_type(asked: Request, taken: tuple[str, ...]) -> None:
    if not asked.is_json and asked.mimetype not in taken:
        raise UnsupportedMediaType(f"send the body as {' or '.join(taken)}")


def _has_body(asked: Request) -> bool:
    return bool(asked.content_length) or "Transfer-Encoding" in asked.headers


def _shed_if_queued_too_long(settings: ChassisSettings, waited_for_ms: float, started: float | None) -> None:
    """Answering a request whose client has given up helps nobody; those behind it need the time.

    The queue of this process is measured here. `started`, of `X-Request-Start`, is the gateway's wall clock in seconds.
    It counts what was lost before, also a first attempt on an instance that hung; so it sheds only what the gateway
    itself no longer waits for: `waited_for_ms`, of `X-Request-Wait-Ms`, is for all its attempts together, while the
    budget is this one's.
    """
    if not settings.shed_after_ms:
        return
    given_up = started is not None and _gateway_age.of(started) * 1000 > waited_for_ms
    if given_up or waited_s() * 1000 > settings.shed_after_ms:
        SHED_REQUESTS.labels(settings.service).inc()
        raise Unavailable("too many requests are waiting; try again later", retry_after=1)


def app_settings() -> Any:
    """The settings of the application that handles this request: each service's own `Settings`."""
    return current_app.extensions["souk.settings"]


def problem_response(problem: Problem) -> Response:
    """The answer for an error, for handlers that cannot raise."""
    trace = current_trace.get()
    body = current_app.json.dumps(problem.as_dict(trace.trace_id if trace else ""))
    response = Response(body, problem.status, mimetype="application/problem+json")
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(problem.retry_after)))
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _answer_errors_as_problems(app: APIFlask) -> None:
    def validation_failed(error: HTTPError) -> Response:
        """APIFlask's own error: input that does not fit the declared shape."""
        problem = BY_STATUS.get(error.status_code, InternalError)(error.message or "")
        for fields in (error.detail or {}).values():
            if isinstance(fields, dict):
                problem.errors += [{"field": k, "message": "; ".join(v)} for k, v in fields.items()]
        return problem_response(problem)

    def refused(error: HTTPException) -> Response:
        if error.code is not None and error.code < 400:
            return error.get_response()  # type: ignore[return-value]  # a redirect
        problem = BY_STATUS.get(error.code or 500, InternalError)(error.description or "")
        problem.status, problem.title = error.code or 500, error.name
        response = problem_response(problem)
        if allowed := getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    def crashed(_error: Exception) -> Response:
        log.exception("unexpected error", method=request.method, path=request.path)
        return problem_response(InternalError("an unexpected error; it has been logged under this trace id"))

    app.error_processor(validation_failed)
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(Exception, crashed)


def _add_operations(app: APIFlask, settings: ChassisSettings) -> None:
    @app.get("/healthz")
    @app.doc(hide=True)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    @app.doc(hide=True)
    def readyz() -> dict[str, str]:
        if not is_ready(app):
            raise Unavailable("this instance cannot serve now")
        return {"status": "ready"}

    @app.get("/metrics")
    @app.doc(hide=True)
    def metrics() -> Response:
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    if settings.prefix.strip("/"):  # web pages, at "/", have no description of their API
        page = cache(lambda: app.spec)  # made once, when somebody asks: anybody may, as often as they like

        @app.get(f"{settings.prefix}/openapi.json")
        @app.doc(hide=True)
        def public_openapi() -> Any:
            return page()


def is_ready(app: Flask) -> bool:
    """True while this instance can serve: it is not leaving, and all that it cannot do without answers."""
    checks: list[Callable[[], bool]] = app.extensions["souk.ready"]
    return not app.extensions.get("souk.draining") and all(check() for check in checks)
