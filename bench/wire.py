"""One request exactly as it is written, and its answer exactly as it came."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

LISTS = ("set-cookie", "vary")  # headers that may be there several times


class Reply:
    """An answer with its headers; none may be there twice but those that are lists."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.body = response.status, response.read()
        names = [name.lower() for name, _ in response.getheaders() if name.lower() not in LISTS]
        assert len(names) == len(set(names)), names
        self.headers = response.headers

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def assert_problem(self) -> None:
        """That it is a problem document, whole and without a look inside."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        assert set(self.json) >= {"type", "title", "status", "detail", "trace_id"}
        assert (self.json["status"], self.json["trace_id"]) == (self.status, self.headers["X-Trace-Id"])
        assert b"Traceback" not in self.body


def raw(
    port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Reply:
    """Ask 127.0.0.1. The path goes out exactly as it is written; no client tidies it up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return Reply(connection.getresponse())
    finally:
        connection.close()
