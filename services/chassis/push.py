"""Events over HTTP: a delivery is a `POST /events` to a healthy instance of the subscriber. Needs no broker.

Several in one request are a CloudEvents batch (CloudEvents 1.0, HTTP binding, section 3.3). A batch is delivered as a
whole, or not at all. One event that is refused would be everybody's fate, so after that each goes alone for a while.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from chassis import faults
from chassis.background import Crew
from chassis.calls import Calls
from chassis.carrier import Done, Outcome
from chassis.errors import Problem
from chassis.outbox import Delivery
from chassis.telemetry import log
from chassis.trace import TraceContext, current_trace, new_trace, parse_traceparent

SEND_TIMEOUT_S = 1.5  # less than a claim lasts, so that a slow answer seldom means a second delivery
MAX_BACK_OFF_S = 2.0
BATCH = 20  # so few that a subscriber has done with them long before the time-out
ALONE_S = 5.0  # after a batch that failed; and longer than the back-off, so that all of it has its turn


class Push:
    """A crew of threads, each of which posts one batch and waits for the answer."""

    at_once = 4  # so that a slow subscriber does not take the threads of the others

    def __init__(self, calls: Calls, subscribers: list[str]) -> None:
        self.calls = calls
        self._senders = Crew("relay", self.at_once * len(subscribers), self._send)
        self._done: Done = lambda _subscriber, _outcomes: None
        self._lock = threading.Lock()
        self._absent_until: dict[str, float] = {}
        self._alone_until: dict[str, float] = {}
        self._absences: Counter[str] = Counter()

    def start(self, done: Done, wake: Callable[[], None]) -> None:  # noqa: ARG002
        self._done = done
        self._senders.start()

    def takes(self, subscriber: str) -> bool:
        with self._lock:
            present = self._absent_until.get(subscriber, 0) <= time.monotonic()
        return present and self._senders.works

    def most(self, subscriber: str) -> int:
        return 1 if time.monotonic() < self._alone_until.get(subscriber, 0) else BATCH

    def give(self, batch: list[Delivery]) -> None:
        self._senders.give(batch)

    def stop(self) -> None:
        self._senders.stop()

    def _send(self, batch: list[Delivery]) -> None:
        faults.point("outbox.claimed")
        # Under too much load a second delivery of everything would be the last straw; a round claims it anew.
        claimed = [delivery for delivery in batch if delivery.is_claimed]
        try:
            outcome = self._post(claimed) if claimed else {}
        except Exception as error:
            log.exception("a delivery failed unexpectedly", seq=batch[0].seq)
            outcome = {"counts": True, "error": repr(error)}
        if len(claimed) > 1 and not outcome.get("sent"):
            self._alone_until[batch[0].subscriber] = time.monotonic() + ALONE_S
            outcome["counts"] = False  # whose fault it was shows when they go alone
        self._done(batch[0].subscriber, [Outcome(delivery, **outcome) for delivery in claimed])

    def _post(self, batch: list[Delivery]) -> dict[str, Any]:
        """What became of it, as the fields of an Outcome."""
        subscriber, (kind, body, trace) = batch[0].subscriber, _message(batch)
        current_trace.set(trace)
        try:
            # The subscriber's inbox makes a repetition harmless, so another replica may be asked when one hangs.
            response = self.calls.request(
                subscriber, "POST", "/events", data=body.encode(), headers={"Content-Type": kind},
                token="service", timeout_s=SEND_TIMEOUT_S, idempotent=True,  # nosec B106 # whose token, not a token
            )  # fmt: skip
        except Problem as error:  # nobody there, no connection, no answer in time: no try, but wait a little
            self._note_absence(subscriber)
            return {"error": error.detail}
        with self._lock:
            self._absences.pop(subscriber, None)
        if response.status_code == 204:
            faults.point("outbox.sent")
            return {"sent": True}
        # An answer that names no instance is not the subscriber's: somebody else has got its port.
        counts = "X-Served-By" in response.headers and response.status_code not in (429, 502, 503, 504)
        return {"counts": counts, "error": f"{response.status_code}: {response.text[:500]}"}

    def _note_absence(self, subscriber: str) -> None:
        with self._lock:
            self._absences[subscriber] += 1
            pause = min(MAX_BACK_OFF_S, 0.1 * 2 ** min(self._absences[subscriber], 6))
            self._absent_until[subscriber] = time.monotonic() + pause


def _message(batch: list[Delivery]) -> tuple[str, str, TraceContext | None]:
    """Content type, body and trace. Each event has its own trace in it; a batch of them is work of nobody's."""
    if len(batch) == 1:
        return "application/cloudevents+json", batch[0].body, parse_traceparent(batch[0].trace)
    return "application/cloudevents-batch+json", f"[{','.join(one.body for one in batch)}]", new_trace()
