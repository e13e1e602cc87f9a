"""Events over HTTP: each delivery is a `POST /events` to a healthy instance of the subscriber. Needs no broker."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from chassis import faults
from chassis.background import Crew
from chassis.calls import Calls
from chassis.carrier import Done, Outcome
from chassis.errors import Problem
from chassis.outbox import Delivery
from chassis.telemetry import log
from chassis.trace import current_trace, parse_traceparent

SEND_TIMEOUT_S = 1.5  # less than a claim lasts, so that a slow answer seldom means a second delivery
MAX_BACK_OFF_S = 2.0


class Push:
    """A crew of threads, each of which posts one delivery and waits for the answer."""

    at_once = 4  # so that a slow subscriber does not take the threads of the others

    def __init__(self, calls: Calls, subscribers: list[str]) -> None:
        self.calls = calls
        self._senders = Crew("relay", self.at_once * len(subscribers), self._send)
        self._done: Done = lambda _delivery, _outcome: None
        self._lock = threading.Lock()
        self._absent_until: dict[str, float] = {}
        self._absences: Counter[str] = Counter()

    def start(self, done: Done, wake: Callable[[], None]) -> None:  # noqa: ARG002
        self._done = done
        self._senders.start()

    def takes(self, subscriber: str) -> bool:
        with self._lock:
            present = self._absent_until.get(subscriber, 0) <= time.monotonic()
        return present and self._senders.works

    def give(self, delivery: Delivery) -> None:
        self._senders.give(delivery)

    def stop(self) -> None:
        self._senders.stop()

    def _send(self, delivery: Delivery) -> None:
        faults.point("outbox.claimed")
        try:
            # Under too much load a second delivery of everything would be the last straw; a round claims it anew.
            outcome = self._post(delivery) if delivery.is_claimed else None
        except Exception as error:
            log.exception("a delivery failed unexpectedly", seq=delivery.seq)
            outcome = Outcome(delivery, counts=True, error=repr(error))
        self._done(delivery, outcome)

    def _post(self, delivery: Delivery) -> Outcome:
        headers = {"Content-Type": "application/cloudevents+json"}
        current_trace.set(parse_traceparent(delivery.trace))
        try:
            # The subscriber's inbox makes a repetition harmless, so another replica may be asked when one hangs.
            response = self.calls.request(
                delivery.subscriber, "POST", "/events", data=delivery.body.encode(), headers=headers,
                token="service", timeout_s=SEND_TIMEOUT_S, idempotent=True,  # nosec B106 # whose token, not a token
            )  # fmt: skip
        except Problem as error:  # nobody there, no connection, no answer in time: no try, but wait a little
            self._note_absence(delivery.subscriber)
            return Outcome(delivery, error=error.detail)
        with self._lock:
            self._absences.pop(delivery.subscriber, None)
        if response.status_code == 204:
            faults.point("outbox.sent")
            return Outcome(delivery, sent=True)
        # An answer that names no instance is not the subscriber's: somebody else has got its port.
        counts = "X-Served-By" in response.headers and response.status_code not in (429, 502, 503, 504)
        return Outcome(delivery, counts=counts, error=f"{response.status_code}: {response.text[:500]}")

    def _note_absence(self, subscriber: str) -> None:
        with self._lock:
            self._absences[subscriber] += 1
            pause = min(MAX_BACK_OFF_S, 0.1 * 2 ** min(self._absences[subscriber], 6))
            self._absent_until[subscriber] = time.monotonic() + pause
