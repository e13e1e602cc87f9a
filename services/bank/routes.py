"""HTTP in: parse, misbehave as told, one use case, answer."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, request

from bank import usecases
from bank.domain import Behaviour, State, wait_before_answer_s
from bank.schemas import (
    BehaviourAnswer,
    BehaviourWanted,
    ChargeAnswer,
    ChargeItem,
    ChargesAnswer,
    ChargeWanted,
    RefundAnswer,
    RefundWanted,
    charge_answer,
    charge_item,
    refund_answer,
)
from chassis.database import app_database
from chassis.errors import InternalError, PreconditionRequired, Unavailable, Unprocessable
from chassis.openapi import IDEMPOTENCY_KEY, answers, takes
from chassis.paging import OperatorPage

routes = APIBlueprint("bank", __name__)
KEYED = {409: "the key was used with another body", 428: "no key"}


@contextmanager
def counter() -> Iterator[Behaviour]:
    """A place to be served at, by a bank that behaves as it was told. Nothing has been done if this raises."""
    places: threading.BoundedSemaphore = current_app.extensions["bank.counters"]
    behaviour = usecases.get_behaviour(app_database())
    if behaviour.away:
        raise Unavailable("the bank is away; nothing was done")
    if not places.acquire(blocking=False):
        raise Unavailable("the bank is busy; nothing was done")
    try:
        if random.random() < behaviour.failure_rate:
            raise InternalError("the bank failed before it did anything")
        time.sleep(behaviour.latency_ms / 1000)
        yield behaviour
    finally:
        places.release()


@routes.post("/charges")
@takes(ChargeWanted)
@answers(
    ChargeAnswer, 201, also=KEYED, headers=("Idempotency-Replayed",), asks=(IDEMPOTENCY_KEY,),
    links={"bank.show": {"key": "$response.body#/key"}},
)  # fmt: skip
def post_charge(json_data: ChargeWanted) -> Response:
    """Charge a card. Needs an Idempotency-Key; the same key again is the same charge and the same answer."""
    key = _key()
    with counter() as behaviour:
        charge, is_new = usecases.charge(app_database(), key, json_data, behaviour.decline_rate, random.random())
        timeout_ms = request.headers.get("X-Request-Timeout-Ms", type=int)
        time.sleep(wait_before_answer_s(behaviour, json_data.card, is_new, timeout_ms))
    # The answer of a key never changes, so a charge that was given back meanwhile still reads CAPTURED here.
    state = State.DECLINED if charge["state"] == State.DECLINED else State.CAPTURED
    return _created(charge_answer(charge) | {"state": state}, is_new)


@routes.get("/charges")
@routes.input(OperatorPage, location="query")
@answers(ChargesAnswer)
def index(query_data: OperatorPage) -> dict[str, Any]:
    """The books, oldest charge first, for the audit. Answers at once and always, however the bank behaves."""
    charges, following = usecases.list_charges(app_database(), query_data.limit, query_data.cursor)
    return {"items": [charge_item(charge) for charge in charges], "next": following}


@routes.get("/charges/<key>")
@answers(ChargeItem)
def show(key: str) -> dict[str, Any]:
    """One charge as it stands now: CAPTURED, DECLINED or REFUNDED."""
    with counter():
        return charge_item(usecases.get_charge(app_database(), key))


@routes.post("/refunds")
@takes(RefundWanted)
@answers(
    RefundAnswer, 201, also=KEYED | {404: "no such charge"}, headers=("Idempotency-Replayed",), asks=(IDEMPOTENCY_KEY,)
)
def post_refund(json_data: RefundWanted) -> Response:
    """Give a charge back. Needs an Idempotency-Key of its own; 404 for an unknown charge, 409 for a declined one."""
    key = _key()
    with counter() as behaviour:
        charge, is_new = usecases.refund(app_database(), key, json_data.charge_key)
        time.sleep(behaviour.answer_after_ms / 1000)
    return _created(refund_answer(charge), is_new)


@routes.get("/settings")
@answers(BehaviourAnswer)
def get_settings() -> dict[str, Any]:
    """How the bank behaves."""
    return asdict(usecases.get_behaviour(app_database()))


@routes.put("/settings")
@takes(BehaviourWanted)
@answers(BehaviourAnswer)
def put_settings(json_data: BehaviourWanted) -> dict[str, Any]:
    """Let it behave otherwise from the next request on. What is left out stays as it is."""
    changes = json_data.model_dump(exclude_unset=True)
    return asdict(usecases.change_behaviour(app_database(), changes))


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise PreconditionRequired("send an Idempotency-Key header, new for each charge, the same for a repetition")
    if len(key) > 128 or not key.isascii() or not key.isprintable():
        raise Unprocessable("an Idempotency-Key has 1 to 128 printable ASCII characters")
    return key


def _created(body: dict[str, Any], is_new: bool) -> Response:
    response: Response = current_app.make_response((body, 201))
    if not is_new:
        response.headers["Idempotency-Replayed"] = "true"
    return response
