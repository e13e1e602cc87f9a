"""Whom payments asks: the bank. Its answers, and the lack of one, become an `Answer`; nothing is raised."""

from dataclasses import dataclass
from typing import Any

from chassis.calls import Calls, NobodyHealthy
from chassis.connections import Reply, was_never_sent
from chassis.errors import Problem
from chassis.resilience import BreakerOpen
from chassis.telemetry import log
from payments.domain import Answer

SETTLED = (Answer.CAPTURED, Answer.DECLINED, Answer.REFUNDED)


@dataclass(frozen=True)
class Bank:
    """The bank over HTTP. timeout_s: for each question; less if the request that is served has less left."""

    calls: Calls
    timeout_s: float

    def charge(self, key: str, amount_cents: int, currency: str, card: str, reference: str) -> Answer:
        """Take the money, once per key."""
        body = {"amount_cents": amount_cents, "currency": currency, "card": card, "reference": reference}
        return self._post("/charges", key, body)

    def refund(self, key: str, charge_key: str) -> Answer:
        """Give the money of a charge back, once per key."""
        return self._post("/refunds", key, {"charge_key": charge_key})

    def look(self, key: str) -> Answer | None:
        """How a charge stands. None: not known now, which does not prove that it will not be made."""
        try:
            response = self.calls.request("bank", "GET", f"/charges/{key}", timeout_s=self.timeout_s)
        except Problem:
            return None
        return _settled(response) if response.status_code == 200 else None

    def _post(self, path: str, key: str, body: dict[str, Any]) -> Answer:
        headers = {"Idempotency-Key": key}
        try:
            # Not to be repeated below us: then "it was not sent" would speak of the last attempt only.
            response = self.calls.request(
                "bank", "POST", path, json=body, headers=headers, timeout_s=self.timeout_s, idempotent=False
            )
        except Problem as problem:
            log.info("no answer from the bank", key=key, problem=problem.detail)
            return Answer.NOTHING_DONE if _never_sent(problem) else Answer.UNCLEAR
        if response.status_code == 201:
            return _settled(response) or Answer.UNCLEAR
        log.warning("the bank did not do it", key=key, status=response.status_code)
        if response.status_code == 409:
            return Answer.CONFLICT
        # The bank says 503 only when nothing was done; 4xx means that it did not like the request.
        refused = response.status_code == 503 or 400 <= response.status_code < 500
        return Answer.NOTHING_DONE if refused else Answer.UNCLEAR


def _settled(response: Reply) -> Answer | None:
    try:
        answer = Answer(response.json()["state"])
    except (ValueError, TypeError, KeyError):
        return None
    return answer if answer in SETTLED else None


def _never_sent(problem: Problem) -> bool:
    return was_never_sent(problem.__cause__) or isinstance(problem, NobodyHealthy | BreakerOpen)
