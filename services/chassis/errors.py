"""The errors that cross a process border, and their HTTP status, in one table used in both directions.

A use case raises one by name (`NotFound("no such order")`); `chassis.web` turns it into an RFC 9457 answer;
`chassis.calls` turns a neighbour's answer back into the same exception. The standard library only, so that
every `domain.py` may use it.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """An error that the caller may see.

    detail: one sentence for a person, without internals. errors: `[{"field", "message"}]` for invalid input.
    retry_after: seconds after which trying again makes sense, sent as `Retry-After`.
    """

    status = 500
    title = "Internal error"
    retry_after: float | None = None

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)
        if retry_after is not None:
            self.retry_after = retry_after

    def as_dict(self, trace_id: str) -> dict[str, Any]:
        """The body of the `application/problem+json` answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "trace_id": trace_id,
        }
        if self.errors:
            body["errors"] = self.errors
        return body


class BadRequest(Problem):
    status, title = 400, "Bad request"


class Unauthenticated(Problem):
    status, title = 401, "Not signed in"


class Forbidden(Problem):
    status, title = 403, "Not allowed"


class NotFound(Problem):
    status, title = 404, "Not found"


class MethodNotAllowed(Problem):
    status, title = 405, "Method not allowed"


class Conflict(Problem):
    status, title = 409, "Conflict"


class PreconditionFailed(Problem):
    status, title = 412, "Precondition failed"


class TooLarge(Problem):
    status, title = 413, "Body too large"


class UnsupportedMediaType(Problem):
    status, title = 415, "Unsupported media type"


class Unprocessable(Problem):
    status, title = 422, "Invalid input"


class PreconditionRequired(Problem):
    status, title = 428, "Precondition required"


class TooManyRequests(Problem):
    """Sent with `Retry-After`; one second unless the raiser knows better."""

    status, title, retry_after = 429, "Too many requests", 1.0


class InternalError(Problem):
    pass


class Unavailable(Problem):
    """What is needed cannot be had now. Sent with `Retry-After`; one second unless the raiser knows better."""

    status, title, retry_after = 503, "Service unavailable", 1.0


class DeadlinePassed(Problem):
    status, title = 504, "Deadline passed"


BY_STATUS: dict[int, type[Problem]] = {kind.status: kind for kind in Problem.__subclasses__()}
