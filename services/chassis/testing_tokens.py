"""Tokens for tests: good ones, and every kind of bad one that a route must refuse.

Tests import these from `chassis.testing`.
"""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.identity import AUDIENCE, ISSUER

VALID_S = 86_400  # tests make tokens when they are imported, and a whole run may take long
SERVICE_KEY = "a-key-for-tests-that-is-at-least-32-bytes-long"
LONG_AGO_S = -3600  # further back than any leeway


@cache
def signing_key() -> ec.EllipticCurvePrivateKey:
    """The key that stands for accounts' in tests."""
    return ec.generate_private_key(ec.SECP256R1())


def key_set(kid: str = "test") -> dict[str, Any]:
    """The public half of `signing_key` as a JWK set."""
    key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signing_key().public_key()))
    return {"keys": [{**key, "kid": kid, "alg": "ES256", "use": "sig"}]}


def user_claims(subject: str = "user-1", *roles: str, expires_in: float = VALID_S, **claims: Any) -> dict[str, Any]:
    """What an access token says; a claim that is given as None is left out."""
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "roles": roles or ("customer",), "iat": now}
    payload |= {"exp": now + int(expires_in), **claims}
    return {name: value for name, value in payload.items() if value is not None}


def user_token(
    subject: str = "user-1", *roles: str, expires_in: float = VALID_S, kid: str = "test", **claims: Any
) -> str:
    """An access token as accounts would sign it; a customer's by default."""
    payload = user_claims(subject, *roles, expires_in=expires_in, **claims)
    return jwt.encode(payload, signing_key(), algorithm="ES256", headers={"kid": kid})


def as_user(subject: str = "user-1", *roles: str) -> dict[str, str]:
    """Headers of a signed-in customer, or of a user with these roles."""
    return _bearer(user_token(subject, *roles))


def as_operator() -> dict[str, str]:
    """Headers of an operator, who is a customer too."""
    return as_user("operator-1", "customer", "operator")


def as_service(target: str, caller: str = "orders") -> dict[str, str]:
    """Headers of a call from one of our services to `target`."""
    return _bearer(_service_token(iss=caller, aud=target))


def bad_tokens() -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them; a route for users answers 401 to each."""
    return {
        "no token": {},
        "another scheme": {"Authorization": f"Basic {user_token()}"},
        "no token behind the scheme": {"Authorization": "Bearer "},
        "garbage": _bearer("garbage"),
        "not text": _bearer("\u00ff\u00fe.\u00ff.\u00ff"),
        "a header nested too deep": _bearer(_part(b"[" * 5000) + ".e30.e30"),
        "forged signature": _bearer(user_token()[:-8] + "AAAAAAAA"),
        "signed by a stranger": _bearer(_signed_by_a_stranger()),
        "changed after signing": _bearer(_with_other_claims(user_token())),
        "alg none": _bearer(jwt.encode(user_claims(), "", algorithm="none", headers={"kid": "test"})),
        "HS256 with the public key": _bearer(_signed_with_the_public_key()),
        "expired": _bearer(user_token(expires_in=LONG_AGO_S)),
        "not valid yet": _bearer(user_token(nbf=int(time.time()) + VALID_S)),
        "another audience": _bearer(user_token(aud="elsewhere")),
        "another issuer": _bearer(user_token(iss="elsewhere")),
        "no exp": _bearer(user_token(exp=None)),
        "no sub": _bearer(user_token(sub=None)),
        "unknown kid": _bearer(user_token(kid="unknown")),
        "no kid": _bearer(jwt.encode(user_claims(), signing_key(), algorithm="ES256")),
        "a service's token": as_service("orders"),
    }


def bad_service_tokens(target: str) -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them; an internal route of `target` answers 401 to each."""
    return {
        "no token": {},
        "garbage": _bearer("garbage"),
        "a user's token": as_operator(),
        "another target": as_service(f"not-{target}"),
        "expired": _bearer(_service_token(aud=target, exp=int(time.time()) + LONG_AGO_S)),
        "no exp": _bearer(_service_token(aud=target, exp=None)),
        "no issuer": _bearer(_service_token(aud=target, iss=None)),
        "unknown key": _bearer(_service_token("another-key-that-is-at-least-32-bytes-long", aud=target)),
        "alg none": _bearer(jwt.encode({"iss": "orders", "aud": target, "exp": 2**40}, "", algorithm="none")),
    }


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _service_token(key: str = SERVICE_KEY, **claims: Any) -> str:
    payload = {"iss": "orders", "exp": int(time.time()) + VALID_S, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, key, algorithm="HS256")


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _signed_by_a_stranger() -> str:
    stranger = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(user_claims(), stranger, algorithm="ES256", headers={"kid": "test"})


def _with_other_claims(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{_part(json.dumps(user_claims('user-1', 'operator')).encode())}.{signature}"


def _signed_with_the_public_key() -> str:
    """The classic confusion: a verifier that believes `alg` takes the public key for a shared secret.

    PyJWT refuses to make such a token, so it is put together here.
    """
    pem = (
        signing_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header = json.dumps({"alg": "HS256", "typ": "JWT", "kid": "test"}).encode()
    signed = f"{_part(header)}.{_part(json.dumps(user_claims()).encode())}"
    return f"{signed}.{_part(hmac.digest(pem, signed.encode(), hashlib.sha256))}"
