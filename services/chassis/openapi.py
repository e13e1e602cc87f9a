"""What the OpenAPI page says of a route's answer, without checking each answer against it.

APIFlask's `output` validates and copies every answer; our use cases make exact dictionaries, and the tests of
the contract compare them with these shapes.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])


def answers(shape: type[BaseModel], status_code: int = 200, description: str | None = None) -> Callable[[View], View]:
    """Document that the route answers `status_code` with a JSON body of this shape."""
    response = {
        "schema": shape, "schema_adapter_many": False, "status_code": status_code, "description": description,
        "example": None, "examples": None, "links": None, "content_type": "application/json", "headers": None,
    }  # fmt: skip

    def decorate(view: Any) -> Any:
        view._spec = {**getattr(view, "_spec", {}), "response": response}
        return view

    return decorate
