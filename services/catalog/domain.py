"""The rules of a product: its sku, what a search looks through, and when two versions are the same."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from chassis.errors import Unprocessable

SKU = "^[A-Z0-9-]{1,32}$"
MOST_SKUS = 100  # in one call


def is_sku(text: str) -> bool:
    """Whether a product can have this sku: 1 to 32 of A-Z, 0-9 and the hyphen."""
    return re.fullmatch(SKU, text) is not None


def check_skus(skus: list[str]) -> None:
    """Raises Unprocessable for more than 100, or for one that no product can have."""
    if len(skus) > MOST_SKUS:
        message = f"at most {MOST_SKUS} in one call"
        raise Unprocessable("too many skus", errors=[{"field": "sku", "message": message}])
    if not all(map(is_sku, skus)):
        message = "1 to 32 of A-Z, 0-9 and -"
        raise Unprocessable("this is not a sku", errors=[{"field": "sku", "message": message}])


def as_text(answer: Mapping[str, Any]) -> str:
    """An answer as it goes over the wire."""
    return json.dumps(answer, separators=(",", ":")) + "\n"


def etag_of(text: str) -> str:
    """The entity tag of an answer: the same on every replica, another one as soon as anything differs."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def search_text(name: str, description: str) -> str:
    """What `q` is looked for in. Folded here, since databases do not agree on what upper and lower case are."""
    return f"{name}\n{description}".casefold()


def search_words(q: str) -> list[str]:
    """The words that all must occur, in any order."""
    return q.casefold().split()
