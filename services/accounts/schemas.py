"""The shapes on the wire."""

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from accounts.domain import EMAIL_PATTERN, MAX_PASSWORD, MIN_PASSWORD
from accounts.models import User
from chassis.schemas import Answer, Body, Readable, Text


class Register(Body):
    email: str = Field(pattern=EMAIL_PATTERN, max_length=254)
    password: Text = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, repr=False)
    name: Readable = Field(max_length=100)


def _only(*names: str) -> dict[str, Any]:
    """For the OpenAPI page: these members, and none of the others, which may be null."""
    kinds = {name: {"type": "string" if name in names else "null"} for name in ("email", "password", "refresh_token")}
    return {"properties": kinds, "required": list(names)}


class SignIn(Body):
    """Either an e-mail and a password, or a refresh token."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_only("email", "password"), _only("refresh_token")]})

    email: Text | None = Field(default=None, max_length=254)
    password: Text | None = Field(default=None, max_length=MAX_PASSWORD, repr=False)
    refresh_token: Text | None = Field(default=None, max_length=200, repr=False)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_password = self.email is not None and self.password is not None and self.refresh_token is None
        by_token = self.refresh_token is not None and self.email is None and self.password is None
        if not (by_password or by_token):
            raise ValueError("send `email` and `password`, or `refresh_token` alone")
        return self


class SignOut(Body):
    refresh_token: Text | None = Field(default=None, max_length=200, repr=False)


class UserAnswer(Answer):
    id: str
    email: str
    name: str
    roles: list[str]


class TokensAnswer(Answer):
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


class KeySetAnswer(Answer):
    keys: list[dict[str, str]]


class KeyAnswer(Answer):
    kid: str
    active_from: str


def user_answer(user: User) -> dict[str, Any]:
    """A user as the user may see it."""
    return {"id": user.id, "email": user.email, "name": user.name, "roles": user.roles.split()}
