"""What all indexed reads share: the parameters that Consul accepts, the waiting, and the index headers."""

from collections.abc import Callable, Hashable
from typing import Any

from registry.blocking import Watches, read_wait
from registry.shapes import DATACENTER, to_json
from registry.web import Refusal, Reply, Request


def json_reply(value: Any) -> Reply:
    return Reply(to_json(value), "application/json")


def accept(request: Request) -> None:
    """Refuse what would change the answer's meaning if it were ignored. Raises Refusal."""
    query = request.query
    if not query:
        return
    if query.get("dc", "") not in ("", DATACENTER):
        raise Refusal(500, "No path to datacenter")
    if "stale" in query and "consistent" in query:
        raise Refusal(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
    for name in ("filter", "node-meta"):
        if query.get(name):
            raise Refusal(501, f"This registry does not filter by ?{name}=; a Consul agent does")


def indexed(
    watches: Watches,
    request: Request,
    topic: Callable[[], Hashable],
    index: Callable[[], int],
    answer: Callable[[], Reply],
) -> Reply:
    """Answer at once, or when the index of what is covered has moved past the one that the client knows.

    A client whose index is larger than ours knew an earlier process. It waits too, as with Consul, but here
    any change answers it, so that a restart costs it no change.
    """
    asked, seconds = read_wait(request)
    accept(request)
    seen = index()
    if asked > 0 and seen <= asked:
        watches.wait(topic(), lambda: index() != seen, seconds)
    reply = answer()
    headers = (
        ("X-Consul-Index", str(index())),
        ("X-Consul-KnownLeader", "true"),
        ("X-Consul-LastContact", "0"),
    )
    return reply._replace(headers=reply.headers + headers)
