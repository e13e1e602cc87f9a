"""What the shapes on the wire have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Body(BaseModel):
    """A request body: unknown members and wrong types are errors ("3" is not a number)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer; declared for the documentation and the tests of the contract."""


def _printable(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, AfterValidator(_printable)]
"""Text without control characters; any other Unicode is welcome."""
