"""The rules of accounts: what an e-mail is, when a refresh token still works, when a key may go."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

MIN_PASSWORD, MAX_PASSWORD = 10, 128

# ASCII only: then "the same but for case" means the same to everybody.
EMAIL_PATTERN = r"^[!-?A-~]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"


def email_key(email: str) -> str:
    """The form in which an e-mail is unique."""
    return email.lower()


def new_refresh_token() -> str:
    """256 random bits, so the fast hash that it is kept as cannot be searched."""
    return secrets.token_urlsafe(32)


def hash_refresh_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def is_stolen(first_used_at: datetime, now: datetime, grace: timedelta) -> bool:
    """Whether a refresh token was used before, longer ago than any retry: somebody else has it too.

    A second use within the grace is a retry whose answer got lost; it gets a token of its own.
    """
    return now - first_used_at > grace


def keys_still_needed(active_from: Iterable[datetime], now: datetime, tokens_live: timedelta) -> int:
    """How many of the keys, newest first, may have signed a token that is still accepted somewhere.

    A key signs until the next newer one becomes active; a token that it signed last is good for `tokens_live`.
    The keys that wait to become active are needed too.
    """
    count = 0
    successor: datetime | None = None
    for began in active_from:
        if successor is not None and successor + tokens_live < now:
            break
        count, successor = count + 1, began
    return count
