"""Key-value pairs over HTTP."""

import base64

from registry.blocking import Watches
from registry.kv import KeyValues, Pair
from registry.reading import accept, indexed, json_reply
from registry.web import Refusal, Reply, Request

RAW_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox"))
MISSING = Reply(status=404)
MAX_NUMBER = 2**64


class KeyValueRoutes:
    def __init__(self, pairs: KeyValues, watches: Watches) -> None:
        self._pairs = pairs
        self._watches = watches

    def read(self, request: Request) -> Reply:
        key, query, pairs = request.tail, request.query, self._pairs
        if "recurse" in query or "keys" in query:
            prefix = lambda: self._listed(key, query)  # noqa: E731
            return indexed(self._watches, request, lambda: "kv", lambda: pairs.index_under(key), prefix)
        self._need_key(request)
        one = lambda: self._single(key, "raw" in query)  # noqa: E731
        return indexed(self._watches, request, lambda: pairs.topic(key), lambda: pairs.index(key), one)

    def write(self, request: Request) -> Reply:
        self._begin(request, ("cas", "acquire", "release"))
        flags = number(request, "flags") or 0
        value = request.body()
        return json_reply(self._pairs.put(request.tail, value, flags, number(request, "cas")))

    def delete(self, request: Request) -> Reply:
        self._begin(request, ("cas", "recurse"), prefix="recurse" in request.query)
        if "recurse" in request.query:
            self._pairs.delete_under(request.tail)
            return json_reply(True)
        return json_reply(self._pairs.delete(request.tail, number(request, "cas")))

    def _begin(self, request: Request, exclusive: tuple[str, ...], prefix: bool = False) -> None:
        accept(request)
        if not prefix:
            self._need_key(request)
        given = [name for name in exclusive if name in request.query]
        if len(given) > 1:
            raise Refusal(400, f"Conflicting flags: {'&'.join(given)}")
        if given and given[0] in ("acquire", "release"):
            raise Refusal(500, "This registry has no sessions; a Consul agent does")

    def _need_key(self, request: Request) -> None:
        if not request.tail:
            raise Refusal(400, "Missing key name")

    def _single(self, key: str, raw: bool) -> Reply:
        pair = self._pairs.get(key)
        if not pair:
            return MISSING
        return Reply(pair.value, "text/plain", headers=RAW_HEADERS) if raw else json_reply([shape(pair)])

    def _listed(self, prefix: str, query: dict[str, str]) -> Reply:
        found = self._pairs.under(prefix)
        if not found:
            return MISSING
        if "keys" not in query:
            return json_reply([shape(pair) for pair in found])
        separator = query.get("separator", "")
        return json_reply(list(dict.fromkeys(fold(pair.key, len(prefix), separator) for pair in found)))


def fold(key: str, start: int, separator: str) -> str:
    """The key up to and with the first separator after the prefix."""
    end = key.find(separator, start) if separator else -1
    return key[: end + len(separator)] if end >= 0 else key


def shape(pair: Pair) -> dict[str, object]:
    return {
        "LockIndex": 0,
        "Key": pair.key,
        "Flags": pair.flags,
        "Value": base64.b64encode(pair.value).decode() if pair.value else None,
        "CreateIndex": pair.create_index,
        "ModifyIndex": pair.modify_index,
    }


def number(request: Request, name: str) -> int | None:
    """A parameter's unsigned number; None when it is not there. Raises Refusal(400)."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) < MAX_NUMBER):
        raise Refusal(400, f"?{name}= must be a whole number")
    return int(text)
