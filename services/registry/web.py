"""HTTP the way Consul speaks it, in plain WSGI.

Not Flask: no cookies, forms, templates or JSON errors are wanted here, every rule below differs from
Flask's (405 also for HEAD, bodies read whatever their type), and a watched read costs much less without it.
"""

import logging
import posixpath
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

MAX_BODY = 512 * 1024
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

log = logging.getLogger("registry.web")


class Refusal(Exception):
    """Answered as plain text: the status and the bare reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Reply(NamedTuple):
    body: bytes = b""
    content_type: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Request:
    """One request. `tail` is what follows a route that ends in a slash: a name, an id, a key."""

    __slots__ = ("environ", "query", "tail")

    def __init__(self, environ: dict[str, Any], tail: str) -> None:
        self.environ = environ
        self.tail = tail
        text = environ["QUERY_STRING"]
        # Of a repeated parameter Consul takes the first, a dict keeps the last.
        self.query = dict(reversed(parse_qsl(text, keep_blank_values=True))) if text else {}

    def all(self, name: str) -> list[str]:
        """Every value of a repeated parameter, in order."""
        pairs = parse_qsl(self.environ["QUERY_STRING"], keep_blank_values=True)
        return [value for key, value in pairs if key == name]

    def body(self) -> bytes:
        """The raw bytes, whatever the content type says. Raises Refusal(413) above 512 KiB."""
        data: bytes = self.environ["wsgi.input"].read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            raise Refusal(413, f"Request body too large, max size: {MAX_BODY} bytes.")
        return data


Handler = Callable[[Request], Reply]


class Router:
    """The WSGI application over a table of (methods, path, handler). A path that ends in `/` has a tail."""

    def __init__(self, table: Iterable[tuple[str, str, Handler]]) -> None:
        self._routes: dict[str, dict[str, Handler]] = {}
        for method, path, handler in table:
            self._routes.setdefault(path, {})[method] = handler

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        try:
            reply = self._answer(environ)
        except Refusal as refusal:
            reply = Reply(refusal.reason.encode(), "text/plain; charset=utf-8", refusal.status)
        except Exception:
            log.exception("could not answer %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            reply = Reply(b"Internal error", "text/plain; charset=utf-8", 500)
        headers = [("Content-Length", str(len(reply.body))), *reply.headers]
        if reply.content_type:
            headers.append(("Content-Type", reply.content_type))
        start_response(STATUS_LINES[reply.status], headers)
        return [reply.body]

    def _answer(self, environ: dict[str, Any]) -> Reply:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        if ("//" in path or "/." in path) and (clean := clean_path(path)) != path:
            return _moved(clean, environ)
        route, tail = self._find(path)
        if (tail or not route) and (path == "/" or f"{path}/" in self._routes):
            return _moved("/ui/" if path == "/" else f"{path}/", environ)
        if not route:
            return Reply(status=404)
        method = environ["REQUEST_METHOD"]
        if handler := route.get(method):
            return handler(Request(environ, tail))
        allow = (("Allow", ",".join(["OPTIONS", *route])),)
        if method == "OPTIONS":
            return Reply(headers=allow)
        # An answer to HEAD has no body, and gunicorn warns of one.
        reason = b"" if method == "HEAD" else f"method {method} not allowed".encode()
        return Reply(reason, "text/plain; charset=utf-8", 405, allow)

    def _find(self, path: str) -> tuple[dict[str, Handler], str]:
        """The exact route, or else the longest one that ends in `/` and begins the path."""
        if route := self._routes.get(path):
            return route, ""
        end = len(path)
        # A name may contain slashes, so the search starts where the longest route could end.
        while (end := path.rfind("/", 0, end)) > 0:
            if route := self._routes.get(path[: end + 1]):
                return route, path[end + 1 :]
        return {}, ""


def clean_path(path: str) -> str:
    """Without `//`, `.` and `..`; a trailing slash stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _moved(path: str, environ: dict[str, Any]) -> Reply:
    query = environ["QUERY_STRING"]
    return Reply(status=301, headers=(("Location", quote(path) + (f"?{query}" if query else "")),))
