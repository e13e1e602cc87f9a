"""Bad input for every route that takes a body, made from one good body, and what must be answered to it.

Tests import these from `chassis.testing`:

    @pytest.mark.parametrize("body", bad_bodies({"quantity": 2}), ids=lambda body: body.name)
    def test_a_bad_body_is_refused(client, body):
        response = client.put(PATH, data=body.raw, content_type=body.content_type, headers=as_user())
        assert_problem(response, body.status)
"""

import copy
import json
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

JSON = "application/json"
DEEP = 100_000  # far beyond what a recursive parser can take
TOO_LARGE = 1_000_001  # bytes; MAX_BODY_BYTES is a million


class BadBody(NamedTuple):
    """A body that must be refused with `status`."""

    name: str
    content_type: str | None
    raw: bytes
    status: int


def bad_bodies(valid: dict[str, Any], optional: Collection[str] = ()) -> list[BadBody]:
    """Every kind of bad body that can be made from a valid one.

    optional: the members that may be left out. Numbers are taken to have bounds: neither
    negative nor huge ones are good.
    """
    good = json.dumps(valid).encode()
    bodies = [*_not_json(good), *_wrong_shapes(valid)]
    for name in sorted(set(valid) - set(optional)):
        rest = {key: value for key, value in valid.items() if key != name}
        bodies.append(BadBody(f"without {name}", JSON, json.dumps(rest).encode(), 422))
    for path, value in _leaves(valid):
        for what, wrong in _wrong_values(value):
            raw = json.dumps(_replaced(valid, path, wrong)).encode()
            bodies.append(BadBody(f"{'.'.join(map(str, path))}: {what}", JSON, raw, 422))
    return bodies


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """The response (of a test client) is this error as problem details, with nothing internal in it."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = response.get_json()
    assert problem["status"] == status
    assert problem["trace_id"] == response.headers["X-Trace-Id"]
    assert problem["title"] and problem["detail"]
    if status == 422:
        assert all(error["field"] and error["message"] for error in problem.get("errors", ()))
    if status in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    text = response.get_data(as_text=True)
    assert not any(
        word in text for word in ("Traceback", "sqlalchemy", "sqlite", "SELECT", "INSERT", "/site-packages/")
    )
    return problem


def _not_json(good: bytes) -> Iterator[BadBody]:
    yield BadBody("plain text", "text/plain", good, 415)
    yield BadBody("a form", "application/x-www-form-urlencoded", b"a=b", 415)
    yield BadBody("no content type", None, good, 415)
    yield BadBody("nothing", JSON, b"", 400)
    yield BadBody("half of the JSON", JSON, good[:-1], 400)
    yield BadBody("more behind the JSON", JSON, good + b"}", 400)
    yield BadBody("not UTF-8", JSON, good[:-1] + b', "\xff\xfe": 1}', 400)
    yield BadBody("NaN", JSON, good[:-1] + b', "surprise": NaN}', 400)
    yield BadBody("a number of 5,000 digits", JSON, good[:-1] + b', "surprise": ' + b"9" * 5000 + b"}", 400)
    yield BadBody("lists nested too deep", JSON, b"[" * DEEP + b"]" * DEEP, 400)
    yield BadBody("objects nested too deep", JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400)
    yield BadBody("a member nested too deep", JSON, good[:-1] + b', "a": ' + b"[" * DEEP + b"]" * DEEP + b"}", 400)
    yield BadBody("too large", JSON, good + b" " * TOO_LARGE, 413)


def _wrong_shapes(valid: dict[str, Any]) -> Iterator[BadBody]:
    for name, value in {
        "a list": [valid],
        "a string": "text",
        "a number": 17,
        "a boolean": True,
        "null": None,
        "an empty list": [],
    }.items():
        yield BadBody(f"{name}, not an object", JSON, json.dumps(value).encode(), 422)
    for name, member in {
        "an unknown member": "surprise",
        "NUL in a name": "\x00",
        "half a character": "\ud800",
    }.items():
        yield BadBody(name, JSON, json.dumps({**valid, member: 1}).encode(), 422)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every member with its path, the inner ones too; of a list the first item."""
    if path and value is not None:
        yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*path, 0))


def _wrong_values(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, bool):
        return [("text", "true"), ("a number", 1), ("a list", [value])]
    if isinstance(value, int):
        wrong = [("text", str(value)), ("a fraction", value + 0.5), ("a boolean", True), ("a list", [value])]
        return [*wrong, ("negative", -1), ("huge", 10**30)]
    if isinstance(value, float):
        return [("text", str(value)), ("a list", [value]), ("negative", -1.0), ("huge", 1e300)]
    if isinstance(value, str):
        wrong = [("a number", 17), ("a list", [value]), ("an object", {"a": value})]
        return [
            *wrong,
            ("NUL", value + "\x00"),
            ("a bell", value + "\a"),
            ("half a character", value + "\ud800"),
        ]
    return [
        ("text", "text"),
        ("a number", 17),
        ("the other collection", {} if isinstance(value, list) else []),
    ]


def _replaced(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed
