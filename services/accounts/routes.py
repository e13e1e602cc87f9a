"""HTTP in: parse, one use case, answer."""

from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, request

from accounts import keys, usecases
from accounts.models import User
from accounts.passwords import Passwords
from accounts.schemas import KeyAnswer, KeySetAnswer, Register, SignIn, SignOut, TokensAnswer, UserAnswer, user_answer
from accounts.settings import Settings
from chassis.database import app_database
from chassis.identity import caller, requires, requires_service
from chassis.limits import SubjectLimits
from chassis.openapi import answers, takes
from chassis.schemas import parsed
from chassis.telemetry import log
from chassis.web import app_settings

routes = APIBlueprint("accounts", __name__, url_prefix="/api/accounts")
internal = APIBlueprint("keys", __name__, url_prefix="/internal/keys")


@routes.post("/users")
@takes(Register)
@answers(UserAnswer, 201, also={409: "there is an account with this e-mail"})
def register(json_data: Register) -> tuple[dict[str, Any], int]:
    """Open an account; 409 when there is one with this e-mail."""
    user = usecases.register(app_database(), _passwords(), json_data.email, json_data.password, json_data.name)
    log.info("account opened", user=user.id)
    return user_answer(user), 201


@routes.post("/tokens")
@takes(SignIn)
@answers(TokensAnswer, also={401: "wrong", 429: "too many failures"}, headers=("Cache-Control",))
def sign_in(json_data: SignIn) -> Response:
    """Sign in with e-mail and password, or stay signed in with a refresh token, which then changes."""
    database, settings, wanted = app_database(), _settings(), json_data
    lifetime = timedelta(days=settings.refresh_token_days)
    if wanted.refresh_token is not None:
        grace = timedelta(seconds=settings.refresh_grace_s)
        signed_in = usecases.refresh(database, wanted.refresh_token, lifetime, grace)
    else:
        failures: SubjectLimits = current_app.extensions["accounts.failures"]
        email, password = wanted.email or "", wanted.password or ""
        signed_in = usecases.sign_in(database, _passwords(), failures, email, password, lifetime)
    return _tokens(*signed_in)


@routes.delete("/tokens")
@requires()
@answers(None, 204, "signed out", also={400: "not JSON", 415: "not JSON", 413: "too large", 422: "wrong"})
def sign_out() -> tuple[str, int]:
    """End the sign-in that `refresh_token` in the body belongs to, or without a body all sign-ins of this user."""
    wanted = parsed(SignOut, request.get_json()) if request.get_data() else SignOut()
    usecases.sign_out(app_database(), caller().id, wanted.refresh_token)
    return "", 204


@routes.get("/me")
@requires()
@answers(UserAnswer)
def me() -> dict[str, Any]:
    """The user whose token this is."""
    return user_answer(usecases.get_user(app_database(), caller().id))


@routes.get("/.well-known/jwks.json")
@answers(KeySetAnswer, headers=("Cache-Control",))
def key_set() -> Response:
    """The public keys that check access tokens."""
    response = current_app.json.response(keys.key_set(app_database(), _settings().access_token_s))
    response.headers["Cache-Control"] = "public, max-age=2"  # much less than KEY_ACTIVATION_S
    return response


@internal.post("/rotate")
@requires_service()
@answers(KeyAnswer, 201)
def rotate() -> tuple[dict[str, Any], int]:
    """Make a new signing key. Tokens of the old ones stay valid."""
    key = keys.rotate(app_database(), _settings().key_activation_s)
    log.info("new signing key", kid=key.kid, active_from=key.active_from.isoformat())
    return {"kid": key.kid, "active_from": key.active_from.isoformat()}, 201


def _tokens(user: User, refresh_token: str) -> Response:
    lifetime_s = _settings().access_token_s
    response = current_app.json.response(
        {
            "access_token": keys.access_token(app_database(), user, lifetime_s),
            "token_type": "Bearer",  # nosec B105 # the name of a scheme
            "expires_in": lifetime_s,
            "refresh_token": refresh_token,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _settings() -> Settings:
    return app_settings()


def _passwords() -> Passwords:
    return current_app.extensions["accounts.passwords"]
