"""The keys that sign access tokens: made, published, used, replaced and at last forgotten.

All replicas share them by the database and ask it whenever they sign, so a new key needs no announcement. It is
in the public key set from the moment of its commit, and signs only KEY_ACTIVATION_S later. By then every
verifier can have it: one that meets an unknown `kid` asks for the key set unless it has just done so, which is
5 seconds at most. Signing at once would let a verifier that asked a moment earlier refuse a good token.

An old key stays in the set until the last token that it signed has expired everywhere.
"""

import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.domain import keys_still_needed
from accounts.models import SigningKey, User
from chassis.database import Database, utc_now
from chassis.errors import Conflict
from chassis.identity import AUDIENCE, ISSUER, LEEWAY_S

MARGIN_S = 60  # clocks that differ, and a request that picked its key just before the change


def access_token(database: Database, user: User, lifetime_s: int) -> str:
    """A signed token that says who this is, for `lifetime_s` seconds."""
    kid, pem = _signer(database)
    now = int(utc_now().timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user.id, "roles": user.roles.split(), "iat": now}
    return jwt.encode(claims | {"exp": now + lifetime_s}, _load(pem), algorithm="ES256", headers={"kid": kid})


def key_set(database: Database, lifetime_s: int) -> dict[str, Any]:
    """The public keys as a JWK set (RFC 7517), newest first: those that sign, will sign, or may have signed."""
    ensure_first_key(database)
    with database.reading() as session:
        keys = _newest_first(session)
    return {"keys": [json.loads(key.public_jwk) for key in keys[: _needed(keys, lifetime_s)]]}


def rotate(database: Database, activation_s: float) -> SigningKey:
    """Make a new key, which signs from `activation_s` seconds on. Raises Conflict if another is made just now."""
    ensure_first_key(database)
    try:
        return _add_key(database, activation_s)
    except IntegrityError as error:
        raise Conflict("another rotation happened at the same moment; that may be enough") from error


def ensure_first_key(database: Database) -> None:
    """Make the first key, which signs at once, if there is none; of several replicas one makes it."""
    with database.reading() as session:
        if session.scalar(select(SigningKey.number).limit(1)) is not None:
            return
    try:
        _add_key(database, 0, only_the_first=True)
    except IntegrityError:
        return  # another replica was faster, and its key is as good


def forget_old_keys(lifetime_s: int, session: Session) -> None:
    """Delete the keys whose last tokens have expired. For housekeeping."""
    keys = _newest_first(session)
    old = [key.number for key in keys[_needed(keys, lifetime_s) :]]
    if old:
        session.execute(delete(SigningKey).where(SigningKey.number.in_(old)))


def _add_key(database: Database, activation_s: float, only_the_first: bool = False) -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with database.transaction() as session:
        newest = session.scalar(select(func.max(SigningKey.number))) or 0
        number = 1 if only_the_first else newest + 1
        kid = f"{number}-{jwk['x'][:12]}"
        public = json.dumps({**jwk, "kid": kid, "alg": "ES256", "use": "sig"})
        active_from = database.now() + timedelta(seconds=activation_s)
        key = SigningKey(number=number, kid=kid, private_pem=pem, public_jwk=public, active_from=active_from)
        session.add(key)
    return key


def _signer(database: Database) -> tuple[str, str]:
    """The key that signs now: its kid and its private half."""
    ensure_first_key(database)
    now = database.now()
    with database.reading() as session:
        keys = _newest_first(session)
        # With a clock that is behind that of the replica which made the first key, none is active: take that one.
        key = next((key for key in keys if key.active_from <= now), keys[-1])
        return key.kid, key.private_pem


def _newest_first(session: Session) -> list[SigningKey]:
    order = (SigningKey.active_from.desc(), SigningKey.number.desc())
    return list(session.scalars(select(SigningKey).order_by(*order)))


def _needed(keys: list[SigningKey], lifetime_s: int) -> int:
    tokens_live = timedelta(seconds=lifetime_s + LEEWAY_S + MARGIN_S)
    return keys_still_needed([key.active_from for key in keys], utc_now(), tokens_live)


@lru_cache(maxsize=4)
def _load(pem: str) -> Any:
    return serialization.load_pem_private_key(pem.encode(), password=None)
