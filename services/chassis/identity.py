"""Who is asking: users by tokens that accounts signed (ES256), services by tokens that they sign themselves.

Every service verifies by itself; nobody is asked per request. The public keys (a JWK set, RFC 7517) are kept
in memory and on disk. While there are no keys, a token cannot be judged, and the answer is 503, not 401: the
token may well be good.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import jwt
from flask import Flask, current_app, g, request

from chassis.calls import Calls, raise_for_problem
from chassis.errors import Forbidden, Problem, Unauthenticated, Unavailable
from chassis.limits import SubjectLimits, shared_limits
from chassis.service_tokens import ServiceTokens
from chassis.settings import ChassisSettings
from chassis.telemetry import log

ISSUER = AUDIENCE = "souk"
LEEWAY_S = 60
REFETCH_S = 5.0
JWKS_PATH = "/api/accounts/.well-known/jwks.json"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Caller:
    """A signed-in user: the id in the token's `sub`, and roles ("customer", "operator")."""

    id: str
    roles: frozenset[str]
    expires_at: float


class KeySet:
    """The public keys by `kid`: from `fetch`, kept on disk for the next start.

    An unknown `kid` fetches anew, at most once in five seconds, so that forged ones cost accounts nothing.
    """

    def __init__(
        self,
        fetch: Callable[[], dict[str, Any]],
        file: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._fetch, self._file, self._clock = fetch, file, clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._answered = False
        if file is not None and file.exists():
            self._load_file(file)

    @property
    def asks_accounts(self) -> bool:
        """Whether the keys come over the network, and are kept on disk against the day when they do not."""
        return self._file is not None

    def get(self, kid: str) -> jwt.PyJWK:
        """The key. Raises Unauthenticated if accounts does not know it, Unavailable if it cannot be asked."""
        if kid not in self._keys:
            with self._lock:
                if kid not in self._keys and self._clock() - self._asked_at >= REFETCH_S:
                    self._asked_at = self._clock()
                    self._answered = self._refetch()
        if kid in self._keys:
            return self._keys[kid]
        if not self._answered:
            raise Unavailable("the keys to check this token cannot be had now; try again", retry_after=REFETCH_S)
        raise Unauthenticated("this token was signed with an unknown key; sign in again")

    def _refetch(self) -> bool:
        try:
            document = self._fetch()
            self._keys = _parse(document)
        except (Problem, OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            log.warning("cannot fetch the signing keys", error=str(error))
            return False
        if self._file is not None:
            _write_aside(self._file, json.dumps(document))
        return True

    def _load_file(self, file: Path) -> None:
        try:
            self._keys = _parse(json.loads(file.read_text()))
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            log.warning("ignoring the kept signing keys", file=str(file), error=str(error))


def _parse(document: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    return {key["kid"]: jwt.PyJWK(key) for key in document["keys"]}


def _write_aside(file: Path, text: str) -> None:
    """Write so that a reader sees the old text or the new one, never half of it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{threading.get_ident()}.new")
        aside.write_text(text)
        aside.replace(file)
    except OSError as error:
        log.warning("cannot keep the signing keys for the next start", file=str(file), error=str(error))


class Identity:
    """Checks the token of a request. A token that was checked once is remembered until it expires."""

    REMEMBERED = 10_000

    def __init__(self, keys: KeySet, services: ServiceTokens, limits: SubjectLimits) -> None:
        self.keys, self.services, self.limits = keys, services, limits
        self._checked: dict[str, Caller] = {}

    def user(self) -> Caller:
        """The user of this request. Raises Unauthenticated, Unavailable or TooManyRequests."""
        token = _bearer()
        caller = self._checked.get(token)
        if caller is None or caller.expires_at + LEEWAY_S < time.time():
            caller = self._check(token)
        self.limits.take(caller.id)
        return caller

    def _check(self, token: str) -> Caller:
        self._checked.pop(token, None)
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated("this token does not say which key signed it; sign in again")
            claims = jwt.decode(
                token, self.keys.get(kid), algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE,
                leeway=LEEWAY_S, options={"require": ["exp", "sub"]},
            )  # fmt: skip
        except (jwt.PyJWTError, RecursionError) as error:  # a header of nested brackets is no token either
            raise Unauthenticated("this token is not valid or has expired; sign in again") from error
        caller = Caller(claims["sub"], frozenset(claims.get("roles", ())), claims["exp"])
        if len(self._checked) >= self.REMEMBERED:
            self._checked.clear()
        self._checked[token] = caller
        return caller


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("sign in first: send `Authorization: Bearer` with an access token")
    return token.strip()


def _identity() -> Identity:
    return current_app.extensions["souk.identity"]


def requires(role: str | None = None) -> Callable[[View], View]:
    """Let in signed-in users, or those with `role`. Stands above `input`: strangers learn no shapes."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = _identity().user()
            if role is not None and role not in g.caller.roles:
                raise Forbidden(f"only a user with the role {role!r} may do this")
            return view(*args, **kwargs)

        return _documented(guarded, "user")

    return decorate


def requires_service() -> Callable[[View], View]:
    """Let in our own services, by the token that they signed for this one."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            _identity().services.verify(_bearer())
            return view(*args, **kwargs)

        return _documented(guarded, "service")

    return decorate


def _documented(view: Any, scheme: str) -> Any:
    view._spec = {**getattr(view, "_spec", {}), "security": [scheme]}  # what APIFlask's `doc` would note
    return view


def caller() -> Caller:
    """The user whom `requires` let in."""
    return g.caller


def use_identity(
    app: Flask, settings: ChassisSettings, calls: Calls, fetch: Callable[[], dict[str, Any]] | None = None
) -> Identity:
    """Let routes ask who is calling. `fetch` gives the key set; by default accounts is asked."""

    def ask_accounts() -> dict[str, Any]:
        response = calls.request("accounts", "GET", JWKS_PATH, timeout_s=2)
        return raise_for_problem(response).json()

    file = settings.souk_home / "cache" / "jwks.json"
    keys = KeySet(fetch or ask_accounts, None if fetch else file)
    services = ServiceTokens(settings.service, settings.service_keys)
    shared = shared_limits(app, settings)
    limits = SubjectLimits(settings.rate_limit_per_s, settings.rate_limit_loopback, shared=shared)
    identity = Identity(keys, services, limits)
    app.extensions["souk.identity"] = identity
    return identity
