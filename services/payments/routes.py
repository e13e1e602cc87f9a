"""HTTP in: parse, one use case, answer."""

from typing import Any

from apiflask import APIBlueprint
from flask import current_app

from chassis.database import app_database
from chassis.identity import caller, requires, requires_service
from chassis.openapi import answers, takes
from chassis.paging import OperatorPage
from payments import usecases
from payments.schemas import ChargeNow, ChargeNowAnswer, PaymentAnswer, PaymentsAnswer, payment_answer

routes = APIBlueprint("payments", __name__, url_prefix="/api/payments")
internal_routes = APIBlueprint("internal", __name__, url_prefix="/internal")


@routes.get("/<order_id>")
@requires()
@answers(PaymentAnswer)
def show(order_id: str) -> dict[str, Any]:
    """The payment of one's own order; 404 before it exists, 403 for another customer's."""
    return payment_answer(usecases.get_payment(app_database(), caller(), order_id))


@routes.get("")
@requires("operator")
@routes.input(OperatorPage, location="query")
@answers(PaymentsAnswer)
def index(query_data: OperatorPage) -> dict[str, Any]:
    """Everybody's payments, by order."""
    payments, following = usecases.list_payments(app_database(), query_data.limit, query_data.cursor)
    return {"items": [payment_answer(payment) for payment in payments], "next": following}


@internal_routes.post("/charges")
@requires_service()
@takes(ChargeNow)
@answers(ChargeNowAnswer, 201, also={402: "declined", 409: "another charge has this reference", 504: "no clear answer"})
def charge(json_data: ChargeNow) -> tuple[dict[str, Any], int]:
    """Charge while the caller waits, idempotent by `reference`; for the laboratory. Orders never come this way."""
    return usecases.charge_now(current_app.extensions["payments.bank"], json_data), 201
