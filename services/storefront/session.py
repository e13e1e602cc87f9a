"""Who is signed in: the user's own tokens in a signed cookie, so that no replica keeps anything.

The cookie is signed, not encrypted. That is enough: what it holds is the user's own, and HttpOnly keeps it from
scripts. It is renewed through accounts shortly before the access token expires.
"""

import time
from datetime import timedelta
from typing import Any

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from chassis.errors import InternalError, Problem, Unauthenticated
from chassis.telemetry import log
from storefront.clients import neighbours
from storefront.settings import Settings

RENEW_BEFORE_S = 60
MOST_BYTES = 3_000  # of tokens; with the signature and the attributes a cookie stays below the browsers' 4,096


class CookieSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, `Secure` exactly when the browser came by https."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 (Flask gives it)
        return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def is_signed_in() -> bool:
    return "access" in session


def remember(tokens: dict[str, Any], name: str) -> None:
    """Sign a user in with what accounts answered. Nothing of the session before is kept (session fixation)."""
    session.clear()
    session.permanent = True
    session["name"] = name[:60]
    _keep(tokens)


def forget() -> None:
    session.clear()


def refresh_token() -> str:
    return str(session.get("refresh", ""))


def access_token() -> str:
    """The user's access token, renewed when it is about to expire. Raises Unauthenticated or Unavailable.

    Two requests at once may both renew it: accounts takes the old refresh token for 30 s more.
    """
    if not is_signed_in():
        raise Unauthenticated("sign in first")
    left_s = session["expires_at"] - time.time()
    if left_s < RENEW_BEFORE_S:
        try:
            _keep(neighbours().accounts.refresh(session["refresh"]))
        except Unauthenticated:
            forget()
            raise
        except Problem as problem:
            if left_s <= 0:
                raise
            log.warning("cannot renew a token yet", why=problem.detail)
    return str(session["access"])


def _keep(tokens: dict[str, Any]) -> None:
    if len(tokens["access_token"]) + len(tokens["refresh_token"]) > MOST_BYTES:
        raise InternalError("the tokens do not fit into a cookie")
    session["access"], session["refresh"] = tokens["access_token"], tokens["refresh_token"]
    session["expires_at"] = int(time.time() + tokens["expires_in"])


def use_sessions(app: Flask, settings: Settings) -> None:
    """Sign cookies with the keys of the settings, and forms with them too."""
    key, *former = settings.session_keys
    app.session_interface = CookieSessions()
    app.config.update(
        SECRET_KEY=key,
        SECRET_KEY_FALLBACKS=former,
        SESSION_COOKIE_NAME="souk_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_days),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form may stay open over lunch
        # Behind a gateway we do not know the address that the browser sees, so the referrer proves nothing.
        WTF_CSRF_SSL_STRICT=False,
    )
