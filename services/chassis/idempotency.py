"""Idempotency keys: a request that is sent twice has one effect and one answer.

The key, a hash of the body and the answer are stored in the transaction of the effect, unique per (subject,
route, key). There is no "in progress" state that a crash could leave behind: of two requests at once one
commits, and the other finds the stored answer. Only successes are stored. After draft-ietf-httpapi-
idempotency-key-header.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, request
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, Transaction, UtcDateTime, unit_of, utc_now
from chassis.errors import Conflict, PreconditionRequired, Unprocessable
from chassis.identity import caller
from chassis.prepared import Prepared

metadata = MetaData()
KEEP_HOURS = 24

keys = Table(
    "idempotency_keys",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("route", String(128), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("location", String(255)),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

_STORE = Prepared(insert(keys))
_FIND = Prepared(select(keys).where(*(keys.c[name] == bindparam(name) for name in ("subject", "route", "key"))))


@dataclass(frozen=True)
class Key:
    """Who asked, for what, under which key, and with which body."""

    subject: str
    route: str
    key: str
    body_hash: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    location: str | None = None

    def response(self, replayed: bool = False) -> Response:
        response = Response(current_app.json.dumps(self.body), self.status, mimetype="application/json")
        if self.location:
            response.headers["Location"] = self.location
        if replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response


def request_key(body: BaseModel) -> Key:
    """The key of the request at hand. Raises PreconditionRequired without one, Unprocessable for a bad one."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise PreconditionRequired("send an Idempotency-Key header, new for each order, the same for a repetition")
    if len(key) > 128 or not key.isascii() or not key.isprintable():
        raise Unprocessable("an Idempotency-Key has 1 to 128 printable ASCII characters")
    canonical = body.model_dump_json()  # members in the order of the shape, whatever order they came in
    route = f"{request.method} {request.url_rule.rule if request.url_rule else request.path}"
    return Key(caller().id, route, key, hashlib.sha256(canonical.encode()).hexdigest())


def answer_once(database: Database, key: Key, work: Callable[[], Answer]) -> Response:
    """Run `work`, which calls `store` in its transaction, unless its answer is stored already.

    Raises Conflict when the key was used with another body.
    """
    if stored := _find(database, key):
        return stored.response(replayed=True)
    try:
        return work().response()
    except IntegrityError:
        # Perhaps the same request, faster, in another thread or replica; then its answer is there now.
        if stored := _find(database, key):
            return stored.response(replayed=True)
        raise


def store(transaction: Transaction, key: Key, answer: Answer) -> Answer:
    """Keep the answer, in the transaction of the effect. Raises IntegrityError when the key is taken."""
    row: dict[str, Any] = {"subject": key.subject, "route": key.route, "key": key.key, "body_hash": key.body_hash}
    row |= {"status": answer.status, "body": json.dumps(answer.body), "location": answer.location}
    _STORE.run(unit_of(transaction), {**row, "created_at": utc_now()})
    return answer


def _find(database: Database, key: Key) -> Answer | None:
    values = {"subject": key.subject, "route": key.route, "key": key.key}
    with database.look() as connection:
        row = _FIND.row(connection, values)
    if row is None:
        return None
    if row["body_hash"] != key.body_hash:
        raise Conflict("this Idempotency-Key was used with another body; use a new one for a new order")
    return Answer(row["status"], json.loads(row["body"]), row["location"])
