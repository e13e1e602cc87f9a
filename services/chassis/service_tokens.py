"""Tokens between services: short-lived HS256 JWTs that the caller signs itself (`iss` self, `aud` target).

The key file has one key a line: the first signs, all verify, so a new key is added below, then moved up, then
the old one removed, and no call fails meanwhile. The file is read again when it changes.
"""

import threading
import time
from pathlib import Path
from typing import NamedTuple

import jwt

from chassis.errors import Unauthenticated, Unavailable

LIFETIME_S = 60
LEEWAY_S = 60
REMEMBERED = 1_000  # tokens; each neighbour makes a new one every 30 s


class _Verified(NamedTuple):
    """What is remembered of a token: it holds for as long as it has not expired and its key is still one of ours."""

    caller: str
    expires_at: float
    key: str


class ServiceTokens:
    """Signs tokens for neighbours and verifies theirs. Thread-safe."""

    def __init__(self, service: str, key_file: Path) -> None:
        self.service, self.key_file = service, key_file
        self._lock = threading.Lock()
        self._keys: list[str] = []
        self._read_at_mtime = -1.0
        self._looked_at = float("-inf")
        self._signed: dict[str, tuple[str, float]] = {}  # target -> token, until when it is used
        self._verified: dict[str, _Verified] = {}

    def sign(self, target: str) -> str:
        """A token for one call to `target`; the same one is used for half of its life."""
        token, good_until = self._signed.get(target, ("", 0.0))
        if time.monotonic() < good_until:
            return token
        now = int(time.time())
        claims = {"iss": self.service, "aud": target, "iat": now, "exp": now + LIFETIME_S}
        token = jwt.encode(claims, self._current_keys()[0], algorithm="HS256")
        self._signed[target] = (token, time.monotonic() + LIFETIME_S / 2)
        return token

    def verify(self, token: str) -> str:
        """The name of the calling service. Raises Unauthenticated. A checked token is remembered until it expires."""
        keys = self._current_keys()
        known = self._verified.get(token)
        if known is not None and known.key in keys and time.time() < known.expires_at + LEEWAY_S:
            return known.caller
        for key in keys:
            try:
                claims = jwt.decode(
                    token, key, algorithms=["HS256"], audience=self.service, leeway=LEEWAY_S,
                    options={"require": ["exp", "iss", "aud"], "verify_iat": False},
                )  # fmt: skip
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, RecursionError) as error:
                raise Unauthenticated("this is not a valid service token") from error
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified[token] = verified = _Verified(str(claims["iss"]), float(claims["exp"]), key)
            return verified.caller
        raise Unauthenticated("this service token was signed with an unknown key")

    def _current_keys(self) -> list[str]:
        with self._lock:
            if time.monotonic() - self._looked_at >= 1:
                self._looked_at = time.monotonic()
                self._read()
        if not self._keys:
            raise Unavailable(f"there is no service key in {self.key_file.name}; `souk up` makes one")
        return self._keys

    def _read(self) -> None:
        try:
            mtime = self.key_file.stat().st_mtime
            if mtime != self._read_at_mtime:
                self._keys = self.key_file.read_text().split()
                self._read_at_mtime = mtime
                self._signed.clear()
        except OSError:
            return  # keep what we have: the file may be under replacement
