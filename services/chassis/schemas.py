"""What the shapes on the wire have in common."""

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from chassis.errors import Unprocessable

Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """A request body: unknown members and wrong types are errors ("3" is not a number)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer; declared for the documentation and the tests of the contract."""


# Surrogates come in as "\ud800" in JSON; no database and no hash function takes them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("control characters and halves of characters are not allowed")
    return text


def _pattern(pattern: str) -> Any:
    """For the OpenAPI page, which cannot see what a validator does."""
    return Field(json_schema_extra={"pattern": pattern})


Text = Annotated[str, AfterValidator(_printable), _pattern(r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text without control characters; any other Unicode is welcome."""

Readable = Annotated[
    Text, Field(pattern=r"\S"), _pattern(r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0\s][^\x00-\x1f\x7f-\x9f]*$")
]
"""Text with something to read in it."""


def utc_text(moment: datetime) -> str:
    """A moment in UTC as it goes into JSON: `2030-01-01T11:30:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def parsed(model: type[Model], value: Any) -> Model:
    """The value as this model. Raises Unprocessable that names each wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, e["loc"])) or "_schema", "message": e["msg"]} for e in error.errors()]
        raise Unprocessable("this input is not as it should be", errors=fields) from error
