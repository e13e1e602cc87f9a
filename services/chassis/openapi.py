"""The OpenAPI page: what a route answers, its errors as problem details, headers, and the way to what it made.

APIFlask makes the page from the inputs. Its `output` would validate and copy every answer; our use cases make exact
dictionaries, and tests compare them with these shapes. The page is made when somebody asks for it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import request
from pydantic import BaseModel

from chassis.errors import BY_STATUS
from chassis.schemas import parsed

View = TypeVar("View", bound=Callable[..., Any])

PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "errors": {
            "type": "array",
            "description": "which fields are wrong",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "trace_id"],
}
HEADERS = {
    "X-Trace-Id": ("which log lines belong to it", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "X-Served-By": ("the instance that answered", {"type": "string"}),
    "Retry-After": ("seconds", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("how to sign in", {"type": "string"}),
    "Location": ("where it can be followed", {"type": "string", "format": "uri-reference"}),
    "Content-Location": ("whose ETag this is", {"type": "string", "format": "uri-reference"}),
    "Idempotency-Replayed": ("`true`: this is the answer of the first request", {"type": "string", "enum": ["true"]}),
    "ETag": ("changes with the content", {"type": "string"}),
    "Cache-Control": ("RFC 9111", {"type": "string"}),
}
OPTIONAL = {"Idempotency-Replayed"}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "new for each request, the same for its repetition",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,126}[!-~])?$"},
}  # fmt: skip
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
IF_MATCH = IF_NONE_MATCH | {"name": "If-Match"}


def takes(shape: type[BaseModel]) -> Callable[[View], View]:
    """Give the view the JSON body as `json_data`, and document it, as APIFlask's `input` does in three times the time.

    Raises Unprocessable that names each wrong field.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def validated(*args: Any, **kwargs: Any) -> Any:
            return view(*args, json_data=parsed(shape, request.get_json(force=True)), **kwargs)

        validated._spec = {**getattr(view, "_spec", {}), "body": shape, "content_type": "application/json"}  # type: ignore[attr-defined]
        return validated  # type: ignore[return-value]

    return decorate


def answers(
    shape: type[BaseModel] | None,
    status_code: int = 200,
    description: str | None = None,
    *,
    also: Mapping[int, str] = {},
    headers: tuple[str, ...] = (),
    asks: tuple[Mapping[str, Any], ...] = (),
    links: Mapping[str, Mapping[str, str]] = {},
    paths: Mapping[str, str] = {},
) -> Callable[[View], View]:
    """Document that the route answers `status_code` with a JSON body of this shape, or with none.

    also: what else it answers, by status; the errors that any route can answer need not be named. headers: those of
    its successes, from HEADERS. asks: header parameters. links: operation -> where its parameters stand in the answer.
    paths: patterns of parts of the path.
    """
    response = {
        "schema": shape or {}, "schema_adapter_many": False, "status_code": status_code, "description": description,
        "example": None, "examples": None, "content_type": "application/json", "headers": None,
        "links": {name: {"operationId": name, "parameters": dict(where)} for name, where in links.items()} or None,
    }  # fmt: skip
    notes = {"also": also, "headers": headers, "asks": asks, "empty": shape is None, "paths": paths}

    def decorate(view: Any) -> Any:
        view._spec = {**getattr(view, "_spec", {}), "response": response, "souk": notes}
        return view

    return decorate


def use_openapi(app: APIFlask) -> None:
    """Let the page tell what all routes have in common."""

    def complete(spec: Any) -> Any:
        components = spec.setdefault("components", {})
        for schema in ("ValidationError", "HTTPError"):  # APIFlask's errors, which nobody is ever sent
            components.get("schemas", {}).pop(schema, None)
        components.setdefault("schemas", {})["Problem"] = PROBLEM
        components["headers"] = {
            name: {"description": text, "schema": schema, "required": name not in OPTIONAL}
            for name, (text, schema) in HEADERS.items()
        }
        for operation, name, notes in _operations(app, spec):
            operation["operationId"] = name
            operation["parameters"] += notes.get("asks", ())
            for parameter in operation["parameters"]:
                if pattern := notes.get("paths", {}).get(parameter["name"]):
                    parameter["schema"] = {"type": "string", "pattern": pattern}
            _complete_responses(operation, notes)
        return spec

    app.spec_processor(complete)


def _operations(app: APIFlask, spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule)
        notes = getattr(app.view_functions[rule.endpoint], "_spec", {}).get("souk", {})
        for method in rule.methods or ():
            if operation := spec["paths"].get(path, {}).get(method.lower()):
                yield operation, rule.endpoint, notes


def _complete_responses(operation: dict[str, Any], notes: dict[str, Any]) -> None:
    responses = operation["responses"]
    success = next(iter(responses.values()))
    for status, text in {**_usual_errors(operation), **notes.get("also", {})}.items():
        responses.setdefault(str(status), {})["description"] = text
    for status, response in responses.items():
        names = ["X-Trace-Id", "X-Served-By"]
        if status >= "400":
            response["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            names += {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}.get(status, [])
        elif notes.get("empty") or status == "304":
            response.pop("content", None)
        else:
            response["content"] = success["content"]
        if status < "400":
            names += notes.get("headers", ())
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    operation["responses"] = dict(sorted(responses.items()))


def _usual_errors(operation: dict[str, Any]) -> dict[int, str]:
    statuses = {503, 504}
    kinds = {parameter["in"] for parameter in operation["parameters"]}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        statuses |= {400, 413, 415, 422}
    if "path" in kinds:
        statuses |= {404}
    if kinds & {"query", "header"}:
        statuses |= {422}
    if security := operation.get("security"):
        statuses |= {401, 503} | ({403, 429} if {"user": []} in security else set())
    return {status: BY_STATUS[status].title for status in statuses}
